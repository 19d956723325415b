// A floor for a connector on Node: load the two packages that such a program needs (a WebSocket client and a
// terminal), open one socket, and idle. Nothing else runs in it, so a real one can only be larger.
const WebSocket = require('ws');
require('node-pty');
const socket = new WebSocket(process.env.WS_URL);
socket.on('error', (e) => { process.stderr.write(String(e) + '\n'); process.exit(1); });
socket.on('close', () => process.exit(0));
