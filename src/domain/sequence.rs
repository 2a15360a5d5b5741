//! Whether a transaction of the homeserver is missing.
//!
//! A homeserver that finds us away keeps its transactions and sends them when we are back. Synapse
//! looks whether we are away *before* it writes a transaction down; if we come back in between,
//! that transaction is written down and not sent, and stays so until we are away again. Synapse
//! numbers its transactions, so the next one shows the gap; refusing it once makes Synapse send
//! everything that it has kept, oldest first.

/// What to do with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Take it in.
    Next,
    /// One before it is missing: refuse this one, once.
    Gap,
}

/// The numbers of the transactions that came in. Ids that are no numbers are never missing.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    last: Option<u64>,
    refused: Option<u64>,
}

impl Sequence {
    /// After what an earlier process took in.
    pub fn after(last: Option<u64>) -> Self {
        Self { last, refused: None }
    }

    /// Judges the next transaction and remembers it.
    pub fn judge(&mut self, id: &str) -> Order {
        let Ok(number) = id.parse::<u64>() else { return Order::Next };
        // Whoever counts anew begins with 1: after a lower number, those before it may be missing too.
        let missing = self.last.is_some_and(|last| match number.checked_sub(last) {
            Some(ahead) => ahead > 1,
            None => number > 1,
        });
        if missing && self.refused != Some(number) {
            self.refused = Some(number);
            return Order::Gap;
        }
        self.last = Some(number);
        Order::Next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ids: &[&str], expected: &[Order]) {
        let mut sequence = Sequence::default();
        let judged: Vec<Order> = ids.iter().map(|id| sequence.judge(id)).collect();
        assert_eq!(judged, expected, "{ids:?}");
    }

    #[test]
    fn a_gap_is_refused_until_what_is_missing_came() {
        use Order::{Gap, Next};
        check(&["7", "8", "8", "9"], &[Next; 4]);
        check(&["7", "9", "8", "9", "10"], &[Next, Gap, Next, Next, Next]);
    }

    #[test]
    fn a_number_that_was_never_given_out_costs_one_refusal() {
        use Order::{Gap, Next};
        check(&["7", "9", "9", "10"], &[Next, Gap, Next, Next]);
    }

    #[test]
    fn a_gap_is_seen_over_a_restart() {
        assert_eq!(Sequence::after(Some(7)).judge("9"), Order::Gap);
        assert_eq!(Sequence::after(Some(7)).judge("8"), Order::Next);
        assert_eq!(Sequence::after(None).judge("9"), Order::Next);
    }

    #[test]
    fn counting_anew_hides_no_gap() {
        use Order::{Gap, Next};
        check(&["7", "2", "1", "2", "3"], &[Next, Gap, Next, Next, Next]);
        check(&["7", "1", "3", "2", "3"], &[Next, Next, Gap, Next, Next]);
        check(&["7", "3", "3", "5"], &[Next, Gap, Next, Gap]);
    }

    #[test]
    fn a_stray_repetition_costs_a_refusal_and_no_more() {
        use Order::{Gap, Next};
        check(&["7", "8", "7", "9", "9", "10"], &[Next, Next, Gap, Next, Next, Next]);
    }

    #[test]
    fn counting_anew_and_other_kinds_of_ids_are_no_gap() {
        check(&["7", "1", "2"], &[Order::Next; 3]);
        check(&["a", "c", "7", "b"], &[Order::Next; 4]);
        check(&["18446744073709551615", "18446744073709551615"], &[Order::Next; 2]);
    }
}
