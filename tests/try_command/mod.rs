//! `wtt-connect try`: the local service by itself, the demonstration agent by itself, and the command as a whole.

mod command;
mod demo_agent;
mod service;
mod terminal;
