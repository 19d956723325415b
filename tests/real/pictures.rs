//! Real CLIs that get a picture with a message: the model counts what reaches it.

use super::{adapter, start};
use crate::support::daemon::{Home, Wtt};

#[test]
fn pictures() {
    let Some(adapter) = adapter() else { return };
    let (wtt, home) = (Wtt::start(), Home::new());
    let url = crate::incoming::upload(&wtt, "a.png", crate::incoming::PNG);
    let connector = start(&wtt, &home, &adapter, &[]);
    let topic = wtt.p2p();
    wtt.say(
        &topic,
        &format!("@@new@@ what is it? @@pictures:picture(s) reached the model@@\n\n![a.png]({url})"),
    );
    let answer = wtt.answer(&topic, "")["content"].as_str().unwrap().to_owned();
    println!("answer {answer}");
    println!("{}", connector.log());
    assert!(connector.stop().success());
    match answer.as_str() {
        "1 picture(s) reached the model" => println!("cell pictures ok"),
        // the agent has the path of it
        "0 picture(s) reached the model" => println!("cell pictures none"),
        _ => panic!("not one picture"),
    }
}
