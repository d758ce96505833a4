//! The movements as rows: nothing too large, nothing collapsed, nothing deleted.

use juscache::domain::movement::{Movement, Unidentified, identify};

use super::samples::{Tier, copy, day, movement};
use crate::support::postgres::Postgres;

#[actix_web::test]
async fn a_text_of_one_mebibyte_stores_even_if_it_does_not_compress() {
    let database = Postgres::shared().database("large");
    let tier = Tier::on(&database.url).await;
    let mut state = 1_u64;
    let printable = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap())
    });
    let text: String = printable.take(1024 * 1024).collect();
    tier.store(&copy(1, 1, vec![movement(1, &text)])).await.unwrap();
    let stored = Postgres::shared().rows(database.name(), "SELECT content FROM process_movements");
    assert_eq!(stored, [[Some(text)]]);
}

#[actix_web::test]
async fn two_equal_movements_on_one_day_both_stay() {
    let database = Postgres::shared().database("equal");
    let tier = Tier::on(&database.url).await;
    let anonymous = || Unidentified { vendor_id: None, movement: movement(0, "Certidão expedida") };
    let mut movements = identify(vec![anonymous(), anonymous()]);
    movements.extend([movement(853_879, "CERTIDÃO EXPEDIDA"), movement(853_877, "CERTIDÃO EXPEDIDA")]);
    for fetched in [1, 2] {
        tier.store(&copy(1, fetched, movements.clone())).await.unwrap();
        let rows = Postgres::shared().rows(database.name(), "SELECT 1 FROM process_movements WHERE removed_at IS NULL");
        assert_eq!(rows.len(), 4);
    }
}

#[actix_web::test]
async fn a_movement_without_a_date_is_one_row_however_often_it_is_stored() {
    let database = Postgres::shared().database("undated");
    let tier = Tier::on(&database.url).await;
    let undated = Movement { date: None, ..movement(1, "x") };
    for fetched in [1, 2] {
        tier.store(&copy(1, fetched, vec![undated.clone()])).await.unwrap();
    }
    assert_eq!(Postgres::shared().rows(database.name(), "SELECT 1 FROM process_movements").len(), 1);
}

#[actix_web::test]
async fn characters_that_postgresql_cannot_hold_do_not_keep_a_process_out() {
    let database = Postgres::shared().database("nul");
    let tier = Tier::on(&database.url).await;
    let odd = "a\0b \\u0000 'quoted' \u{1F4DC} {,\"}";
    tier.store(&copy(1, 1, vec![movement(1, odd)])).await.unwrap();
    let rows =
        Postgres::shared().rows(database.name(), "SELECT content, movement_data->>'text' FROM process_movements");
    let held = odd.replace('\0', "\u{fffd}");
    assert_eq!(rows, [[Some(held.clone()), Some(held)]]);
}

#[actix_web::test]
async fn what_disappears_is_marked_and_what_returns_is_not() {
    let database = Postgres::shared().database("removed");
    let tier = Tier::on(&database.url).await;
    let state = |of: &str| {
        let sql = format!(
            "SELECT removed_at = '{of}', fetched_from_api_at, first_seen_at FROM process_movements \
                           WHERE movement_id = '2'"
        );
        Postgres::shared().rows(database.name(), &sql)
    };
    let stamp = |n| Some(day(n).format("%Y-%m-%d %H:%M:%S+00").to_string());
    tier.store(&copy(1, 1, vec![movement(1, "x"), movement(2, "y")])).await.unwrap();
    assert_eq!(state("now"), [[None, stamp(1), stamp(1)]]);
    tier.store(&copy(1, 2, vec![movement(1, "x")])).await.unwrap();
    tier.store(&copy(1, 3, vec![movement(1, "x")])).await.unwrap();
    assert_eq!(state(&day(2).to_rfc3339()), [[Some("t".to_owned()), stamp(1), stamp(1)]], "when it was first missed");
    tier.store(&copy(1, 4, vec![movement(1, "x"), movement(2, "y")])).await.unwrap();
    assert_eq!(state("now"), [[None, stamp(4), stamp(1)]]);
}

#[actix_web::test]
async fn the_time_of_fetching_tells_news_from_repetition() {
    let database = Postgres::shared().database("news");
    let tier = Tier::on(&database.url).await;
    tier.store(&copy(1, 1, vec![movement(1, "same"), movement(2, "before")])).await.unwrap();
    tier.store(&copy(1, 2, vec![movement(1, "same"), movement(2, "after"), movement(3, "new")])).await.unwrap();
    let sql =
        "SELECT movement_id || ' ' || extract(day FROM fetched_from_api_at) || ' ' || extract(day FROM first_seen_at)
               FROM process_movements ORDER BY movement_id";
    let rows: Vec<String> = Postgres::shared().rows(database.name(), sql).into_iter().flatten().flatten().collect();
    assert_eq!(rows, ["1 2 2", "2 3 2", "3 3 3"]);
}

#[actix_web::test]
async fn the_columns_say_what_the_answer_says() {
    let database = Postgres::shared().database("columns");
    let tier = Tier::on(&database.url).await;
    let sentence = movement(7, "Julgado procedente o pedido. Sentença registrada.");
    tier.store(&copy(1, 1, vec![sentence, movement(3, "Distribuído por sorteio")])).await.unwrap();
    let sql = "SELECT provider, total_movements, last_movement_date, tribunal_name, tribunal_grau, sealed, outcome,
                      current_phase <> '' AND description <> '', progress_percentage > 0 FROM process_status_cache";
    let rows: Vec<String> = Postgres::shared().rows(database.name(), sql).into_iter().flatten().flatten().collect();
    assert_eq!(rows, ["escavador", "2", "2025-03-14", "TJSP", "Primeiro Grau", "f", "andamento", "t", "t"]);
    let sql = "SELECT movement_type, classification_rule <> '', classification_confidence > 0, source_tribunal,
                      movement_data->>'kind' FROM process_movements WHERE movement_id = '7'";
    let rows: Vec<String> = Postgres::shared().rows(database.name(), sql).into_iter().flatten().flatten().collect();
    assert_eq!(rows, ["DECISAO", "t", "t", "TJSP", "ANDAMENTO"]);
}
