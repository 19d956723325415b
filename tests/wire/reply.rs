//! What the reader sees: nothing of a reply is lost, hidden or cut, whatever the agent wrote.

use wtt_connect::wire::inbound_text::hidden_lines;
use wtt_connect::wire::outbound_text::{chunk, defuse};

const SEED: u64 = 0x77_74_74;

/// Random Markdown with everything that cuts can damage.
fn markdown(rng: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for _ in 0..rng.usize(1..30) {
        match rng.u8(0..10) {
            0 => {
                let mark = ["```", "````", "~~~", "  ```"][rng.usize(0..4)];
                let info = ["", "rust", "python title=x"][rng.usize(0..3)];
                text.push_str(&format!("{mark}{info}\n"));
                for i in 0..rng.usize(0..20) {
                    text.push_str(&format!("{}let x{i} = \"值{i}\";\n", " ".repeat(rng.usize(0..8))));
                }
                if rng.u8(0..8) > 0 {
                    text.push_str(&format!("{mark}\n"));
                }
            }
            1 => text.push_str("\n\n"),
            2 => text.push_str("[TASK_STATUS] status=done\n"),
            3 => text.push_str("Progress: 50%\n"),
            4 => text.push_str(&"长".repeat(rng.usize(1..200))),
            5 => text.push_str(&"👩‍👩‍👧 e\u{301} ".repeat(rng.usize(1..20))),
            6 => text.push_str("- item one\n    - item two\n"),
            7 => text.push_str(&"x".repeat(rng.usize(1..300))),
            _ => text.push_str(&"some words here ".repeat(rng.usize(1..12))),
        }
        if rng.bool() {
            text.push('\n');
        }
    }
    text
}

/// Everything that can be seen, without fence lines (which are repeated on purpose) and blanks at the cuts.
fn visible(text: &str) -> String {
    let is_fence = |line: &str| line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
    text.lines()
        .filter(|line| !is_fence(line))
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace() && *c != '\u{200b}')
        .collect()
}

#[test]
fn pieces_show_the_whole_text_and_are_short_enough() {
    let mut rng = fastrand::Rng::with_seed(SEED);
    for round in 0..1500 {
        let text = markdown(&mut rng);
        let max = rng.usize(120..600);
        let pieces = chunk(&text, max);
        assert!(!pieces.is_empty());
        let (got, want) = (visible(&pieces.join("\n")), visible(&text));
        assert!(got == want, "seed {SEED} round {round} max {max}: {text:?}\nbecame {pieces:#?}");
        for piece in &pieces {
            assert!(piece.chars().count() <= max, "seed {SEED} round {round} max {max}: {piece:?}");
            assert!(hidden_lines(piece).is_empty(), "seed {SEED} round {round}: {piece:?}");
        }
    }
}

/// Whether a fence is open at the end, by the rules of CommonMark with any indentation.
fn open_at_end(text: &str) -> bool {
    let mut open: Option<(char, usize)> = None;
    for line in text.lines() {
        let line = line.trim();
        let Some(mark) = line.chars().next().filter(|c| "`~".contains(*c)) else { continue };
        let count = line.chars().take_while(|c| *c == mark).count();
        match open {
            None if count >= 3 && !(mark == '`' && line[count..].contains('`')) => open = Some((mark, count)),
            Some((m, n)) if m == mark && count >= n && line.len() == count => open = None,
            _ => {}
        }
    }
    open.is_some()
}

#[test]
fn no_piece_but_the_last_leaves_a_fence_open() {
    let mut rng = fastrand::Rng::with_seed(SEED + 1);
    for round in 0..1500 {
        let text = markdown(&mut rng);
        let pieces = chunk(&text, rng.usize(150..500));
        let (last, others) = pieces.split_last().unwrap();
        for piece in others {
            assert!(!open_at_end(piece), "seed {SEED} round {round}: {piece}");
        }
        assert_eq!(open_at_end(last), open_at_end(&text), "seed {SEED} round {round}: {last}");
    }
}

#[test]
fn defusing_adds_only_what_cannot_be_seen_and_only_once() {
    let mut rng = fastrand::Rng::with_seed(SEED + 2);
    for _ in 0..1000 {
        let text = markdown(&mut rng);
        let once = defuse(&text);
        assert!(hidden_lines(&once).is_empty());
        assert_eq!(once.replace('\u{200b}', ""), text);
        assert_eq!(defuse(&once), once);
    }
}
