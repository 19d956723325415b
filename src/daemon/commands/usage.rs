//! `/usage`: tokens by agent, of the topic and of the last days. The sums are in `store/usage.rs`.

use crate::daemon::context::Context;
use crate::session::messages::{Lang, Msg};
use crate::store::usage::{KEPT_DAYS, TokenUsage, day};
use crate::sys::time;
use crate::text;
use crate::wire::intake::Scope;
use std::collections::BTreeMap;

/// Rows by agent; their names end in it.
fn rows<'a>(
    out: &mut Vec<String>,
    head: String,
    sums: impl Iterator<Item = (&'a str, TokenUsage)>,
    lang: Lang,
) {
    let mut head = Some(head);
    for (adapter, sum) in sums {
        out.extend(head.take());
        let numbers =
            [sum.input, sum.cached, sum.output, sum.turns, sum.turns_without_count].map(|n| n.to_string());
        let [input, cached, output, turns, mute] = &numbers;
        out.push(Msg::UsageRow.to(lang, &[adapter, input, cached, output, turns]));
        if sum.turns_without_count > 0 {
            out.push(Msg::UsageMute.to(lang, &[adapter, mute]));
        }
    }
}

fn named<'a>((name, sum): (&'a String, &TokenUsage)) -> (&'a str, TokenUsage) {
    (name.rsplit(' ').next().unwrap_or_default(), *sum)
}

/// `/usage`.
pub(super) fn usage_text(cx: &Context, scope: &Scope, lang: Lang) -> String {
    let ledger = &cx.store.state().history.usage;
    let mut out: Vec<String> = Vec::new();
    let here = text::with_prefix(&ledger.topics, &format!("{scope} ")).map(named);
    rows(&mut out, Msg::UsageHere.to(lang, &[]), here, lang);
    let today = day(time::now_ms());
    let of_today = text::with_prefix(&ledger.days, &format!("{today} ")).map(named);
    rows(&mut out, Msg::UsageDay.to(lang, &[&today]), of_today, lang);
    let mut sums: BTreeMap<String, TokenUsage> = BTreeMap::new();
    for (adapter, sum) in ledger.days.iter().map(named) {
        sums.entry(adapter.to_owned()).or_default().add(&sum);
    }
    let all = sums.iter().map(|(name, sum)| (name.as_str(), *sum));
    rows(&mut out, Msg::UsageDays.to(lang, &[&KEPT_DAYS.to_string()]), all, lang);
    if out.is_empty() { Msg::UsageNone.to(lang, &[]) } else { out.join("\n") }
}
