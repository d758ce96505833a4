//! What processes tell each other before one of them takes stock.

use juscache::domain::snapshot::Provider;
use juscache::postgres_tier::ledger::messages::{
    Attest, BeginRound, CloseAccount, NodeReport, ReadNodes, ReadRound, ReleaseNode,
};

use super::ledger::{Books, NODE, OTHER};

#[actix_web::test]
async fn stock_is_taken_by_one_process_at_a_time_and_only_in_its_own_round() {
    let books = Books::new("rounds").await;
    let provider = Provider::Escavador;
    let begin = |node| BeginRound { provider, node };
    assert_eq!(books.tier.ask(ReadRound { provider }).await, 0);
    assert_eq!(books.tier.ask(begin(NODE)).await, Some(1));
    assert_eq!(books.tier.ask(begin(OTHER)).await, None, "somebody is at it");
    assert_eq!(books.tier.ask(begin(NODE)).await, Some(2));
    let close = |round| CloseAccount { provider, round, balance_centavos: 5, booked_centavos: 0, uncharged: vec![] };
    assert!(!books.tier.ask(close(1)).await, "a round was begun since");
    // One that died in the middle has its turn for fifteen seconds.
    books.text("UPDATE vendor_accounts SET round_at = now() - interval '16 seconds' RETURNING round");
    assert_eq!(books.tier.ask(begin(OTHER)).await, Some(3));
    assert!(!books.tier.ask(close(2)).await);
    assert!(books.tier.ask(close(3)).await);
    assert_eq!(books.tier.ask(begin(NODE)).await, Some(4), "done is done");
    assert_eq!(books.tier.ask(ReadRound { provider }).await, 4);
}

#[actix_web::test]
async fn what_processes_say_of_themselves_is_kept_until_they_are_released() {
    let books = Books::new("nodes say").await;
    let report = |node, round, sent| NodeReport { node, round, sent, is_quiet: sent == 0 };
    let others = async || books.tier.ask(ReadNodes { but: NODE }).await;
    books.tier.ask(Attest { report: report(NODE, 0, 7) }).await;
    assert_eq!(others().await, []);
    books.tier.ask(Attest { report: report(OTHER, 2, 0) }).await;
    assert_eq!(others().await, [report(OTHER, 2, 0)]);
    books.tier.ask(Attest { report: report(OTHER, 3, 9) }).await;
    books.tier.ask(Attest { report: report(OTHER, 2, 8) }).await;
    assert_eq!(others().await, [report(OTHER, 3, 9)], "what comes late is no news");
    books.text("UPDATE ledger_nodes SET seen_at = now() - interval '25 hours' RETURNING node");
    assert_eq!(others().await, [], "gone for good");
    books.tier.ask(Attest { report: report(OTHER, 3, 9) }).await;
    assert_eq!(others().await, [report(OTHER, 3, 9)]);
    books.tier.ask(ReleaseNode { node: OTHER }).await;
    assert_eq!(others().await, []);
}
