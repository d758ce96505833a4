//! The vendor's balance beside our own sums: which of the requests whose answer never came were not charged after all.

use std::collections::BTreeMap;

use super::call::Id;

/// How many steps the search for a fitting sum may take: tens of milliseconds and 32 MB. Eight prices without a common divisor
/// and R$ 2,500 in doubt fit; usual ones are multiples of something, and then it is many times more.
const MOST_STEPS: u64 = 2_000_000;

/// Both sides at one moment at which no paid request was under way, in centavos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    /// What the vendor says is left in the account; less than nothing when it gave credit.
    pub balance: i64,
    /// What the ledger says was spent, presumed costs included, since any fixed moment.
    pub booked: u64,
}

/// What a stocktaking says. Whatever it is, the stock of now is the base of the next one, with the correction booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing to compare with yet.
    NoBase,
    /// The vendor took what we booked.
    Agrees,
    /// The vendor took less, and it is exactly the sum of these presumed costs: they were not charged.
    Uncharged(Vec<Id>),
    /// The balance went up, and not by what we booked too much: someone paid in. Nothing is corrected.
    ToppedUp,
    /// The vendor took more or less than we booked and nothing we know explains it: someone else uses the account, or a price is
    /// not what we believe. Nothing is corrected.
    Unexplained {
        /// The difference, either way.
        centavos: u64,
    },
}

/// Compares what the vendor took with what was booked since `base`. `presumed` are the costs that nobody has confirmed, newest
/// first.
#[must_use]
pub fn decide(base: Option<Stock>, now: Stock, presumed: &[(Id, u64)]) -> Verdict {
    let Some(base) = base else { return Verdict::NoBase };
    let taken = i128::from(base.balance) - i128::from(now.balance);
    let booked = i128::from(now.booked) - i128::from(base.booked);
    let too_much = u64::try_from(booked - taken).unwrap_or(0);
    match fitting(too_much, presumed) {
        _ if taken == booked => Verdict::Agrees,
        Some(uncharged) if booked > taken => Verdict::Uncharged(uncharged),
        _ if taken < 0 => Verdict::ToppedUp,
        _ => Verdict::Unexplained { centavos: u64::try_from((booked - taken).unsigned_abs()).unwrap_or(u64::MAX) },
    }
}

/// Rows of exactly this sum, if there are any and the search is not too long. Of several solutions, one with many of the highest
/// price; of rows of one price, the newest, since a charge may come late.
fn fitting(sum: u64, rows: &[(Id, u64)]) -> Option<Vec<Id>> {
    let mut by_price: BTreeMap<u64, Vec<Id>> = BTreeMap::new();
    for (id, price) in rows.iter().filter(|(_, price)| *price > 0) {
        by_price.entry(*price).or_default().push(*id);
    }
    let unit = by_price.keys().copied().fold(0, greatest_common_divisor);
    let prices = u64::try_from(by_price.len()).ok()?;
    let total = rows.iter().map(|(_, price)| u128::from(*price)).sum::<u128>();
    let is_possible = sum > 0 && u128::from(sum) <= total && sum.checked_rem(unit) == Some(0);
    let sum = usize::try_from(sum.checked_div(unit)?).ok()?;
    if !is_possible || u64::try_from(sum).ok()?.saturating_mul(prices) > MOST_STEPS {
        return None;
    }

    // After each price, for each sum up to ours: how many rows of that price the sum needs on top of what the prices before can
    // make up; none where the sum cannot be made up yet.
    let mut needs: Vec<(usize, Vec<Id>, Vec<Option<usize>>)> = Vec::with_capacity(by_price.len());
    for (price, ids) in by_price.into_iter().rev() {
        let price = usize::try_from(price.checked_div(unit)?).ok()?;
        let mut need = Vec::with_capacity(sum + 1);
        for part in 0..=sum {
            let can_be_made_up =
                needs.last().map_or(part == 0, |(_, _, before)| before.get(part).is_some_and(Option::is_some));
            let one_more = || {
                let fewer: usize = (*need.get(part.checked_sub(price)?)?)?;
                (fewer < ids.len()).then_some(fewer + 1)
            };
            let here = if can_be_made_up { Some(0) } else { one_more() };
            need.push(here);
        }
        needs.push((price, ids, need));
    }
    let mut left = sum;
    let mut chosen = Vec::new();
    for (price, ids, need) in needs.iter().rev() {
        let count = (*need.get(left)?)?;
        chosen.extend(ids.iter().take(count));
        left = left.checked_sub(count.checked_mul(*price)?)?;
    }
    Some(chosen)
}

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn stock(balance: i64, booked: u64) -> Stock {
        Stock { balance, booked }
    }

    fn ids(bits: &[u128]) -> Verdict {
        Verdict::Uncharged(bits.iter().copied().map(Id::new).collect())
    }

    fn rows(prices: &[u64]) -> Vec<(Id, u64)> {
        (1..).map(Id::new).zip(prices.iter().copied()).collect()
    }

    #[test]
    fn each_difference_has_its_verdict() {
        let base = stock(10_000, 500);
        let five_seven_five = rows(&[5, 7, 5]);
        for (now, presumed, verdict) in [
            (stock(10_000, 500), &five_seven_five[..], Verdict::Agrees),
            (stock(9_900, 600), &five_seven_five, Verdict::Agrees),
            (stock(9_905, 600), &five_seven_five, ids(&[1])),
            (stock(9_907, 600), &five_seven_five, ids(&[2])),
            (stock(9_910, 600), &five_seven_five, ids(&[1, 3])),
            (stock(9_912, 600), &five_seven_five, ids(&[1, 2])),
            (stock(9_917, 600), &five_seven_five, ids(&[1, 3, 2])),
            (stock(9_906, 600), &five_seven_five, Verdict::Unexplained { centavos: 6 }),
            (stock(9_918, 600), &five_seven_five, Verdict::Unexplained { centavos: 18 }),
            (stock(9_905, 600), &[], Verdict::Unexplained { centavos: 5 }),
            (stock(9_905, 600), &rows(&[0, 0]), Verdict::Unexplained { centavos: 5 }),
            (stock(9_890, 600), &five_seven_five, Verdict::Unexplained { centavos: 10 }),
            // The vendor gave credit.
            (stock(-85, 10_590), &five_seven_five, ids(&[1])),
            // Nothing booked, and an older cost given back.
            (stock(10_005, 500), &five_seven_five, ids(&[1])),
            (stock(19_900, 600), &five_seven_five, Verdict::ToppedUp),
            (stock(i64::MAX, 500), &five_seven_five, Verdict::ToppedUp),
            // A correction of older rows lowers what is booked.
            (stock(10_000, 495), &five_seven_five, Verdict::Unexplained { centavos: 5 }),
            (stock(0, 500), &five_seven_five, Verdict::Unexplained { centavos: 10_000 }),
        ] {
            assert_eq!(decide(Some(base), now, presumed), verdict, "{now:?} {presumed:?}");
        }
        assert_eq!(decide(None, stock(1, 1), &five_seven_five), Verdict::NoBase);
    }

    #[test]
    fn of_equal_prices_the_newest_was_not_charged() {
        let newest_first = rows(&[4; 100]);
        assert_eq!(decide(Some(stock(100, 0)), stock(88, 24), &newest_first), ids(&[1, 2, 3]));
    }

    #[test]
    fn prices_of_any_size_are_counted_in_what_they_have_in_common() {
        let large = rows(&[3_000_000_000, 4_000_000_000, 3_000_000_000]);
        let base = stock(100_000_000_000, 0);
        assert_eq!(decide(Some(base), stock(96_000_000_000, 10_000_000_000), &large), ids(&[1, 3]));
    }

    #[test]
    fn a_search_that_would_take_long_is_not_begun() {
        let awkward = rows(&[1, 2_000_000_011, 3_000_000_019]);
        let base = stock(100_000_000_000, 0);
        let verdict = decide(Some(base), stock(base.balance, 2_000_000_012), &awkward);
        assert_eq!(verdict, Verdict::Unexplained { centavos: 2_000_000_012 });
    }

    #[test]
    fn an_outage_of_hours_is_searched_through() {
        let prices: Vec<u64> = (0..20_000).map(|n| [10, 14, 35][n % 3]).collect();
        let booked: u64 = prices.iter().sum();
        let verdict = decide(Some(stock(1_000_000, 0)), stock(1_000_000 - 1_239, booked), &rows(&prices));
        let Verdict::Uncharged(uncharged) = verdict else { panic!("{verdict:?}") };
        let index: BTreeMap<Id, u64> = rows(&prices).into_iter().collect();
        assert_eq!(uncharged.iter().map(|id| index[id]).sum::<u64>(), booked - 1_239);
    }

    fn some_rows() -> impl Strategy<Value = Vec<(Id, u64, bool)>> {
        let row = (prop::sample::select(vec![0_u64, 3, 5, 6, 10, 14]), any::<bool>());
        prop::collection::vec(row, 0..12)
            .prop_map(|rows| (1..).map(Id::new).zip(rows).map(|(id, (price, lost))| (id, price, lost)).collect())
    }

    proptest! {
        /// Whichever requests the vendor did not charge: what is left after the correction is what it charged.
        #[test]
        fn the_corrected_sum_is_the_vendors(rows in some_rows(), confirmed in 0..1_000_u64, earlier in 0..1_000_u64) {
            let presumed: Vec<(Id, u64)> = rows.iter().map(|(id, price, _)| (*id, *price)).collect();
            let all: u64 = presumed.iter().map(|(_, price)| price).sum();
            let uncharged: u64 = rows.iter().filter(|(_, _, lost)| *lost).map(|(_, price, _)| price).sum();
            let base = stock(1_000_000, earlier);
            let charged = i64::try_from(confirmed + all - uncharged).unwrap();
            let now = stock(base.balance - charged, earlier + confirmed + all);
            let corrected = match decide(Some(base), now, &presumed) {
                Verdict::Agrees => 0,
                Verdict::Uncharged(ids) => {
                    let index: BTreeMap<Id, u64> = presumed.iter().copied().collect();
                    prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
                    ids.iter().map(|id| index[id]).sum()
                }
                verdict => return Err(TestCaseError::fail(format!("{verdict:?}"))),
            };
            prop_assert_eq!(corrected, uncharged);
        }

        /// A correction is found exactly when there is one.
        #[test]
        fn a_sum_is_found_exactly_if_some_rows_have_it(rows in some_rows(), sum in 1..60_u64) {
            let presumed: Vec<(Id, u64)> = rows.iter().map(|(id, price, _)| (*id, *price)).collect();
            let subsets = 0..1_u32 << presumed.len();
            let exists = subsets.into_iter().any(|subset| {
                let of = presumed.iter().enumerate().filter(|(n, _)| subset & (1 << n) != 0);
                of.map(|(_, (_, price))| price).sum::<u64>() == sum
            });
            let verdict = decide(Some(stock(1_000, 0)), stock(1_000, sum), &presumed);
            prop_assert_eq!(exists, matches!(verdict, Verdict::Uncharged(_)), "{:?}", verdict);
        }
    }
}
