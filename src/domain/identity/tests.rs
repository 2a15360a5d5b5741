//! Every policy in every situation, written out.

use super::*;

use IdentityPolicy as Policy;

const OLD: RemoteIdentityKey = RemoteIdentityKey::from_bytes([1; 32]);
const NEW: RemoteIdentityKey = RemoteIdentityKey::from_bytes([2; 32]);
const THIRD: RemoteIdentityKey = RemoteIdentityKey::from_bytes([3; 32]);

fn keys(pairs: &[(u16, RemoteIdentityKey)]) -> ChangedKeys {
    pairs.iter().copied().collect()
}

fn waiting(pending: &[(u16, RemoteIdentityKey)]) -> ContactKeys {
    ContactKeys { pending: keys(pending), ..ContactKeys::default() }
}

fn agreed(confirmed: &[(u16, RemoteIdentityKey)]) -> ContactKeys {
    ContactKeys { confirmed: keys(confirmed), ..ContactKeys::default() }
}

#[test]
fn every_policy_in_every_situation() {
    use Verdict as To;
    let (settled, waits) = (ContactKeys::default(), waiting(&[(0, NEW)]));
    let (agreed, both) = (agreed(&[(0, NEW)]), keys(&[(0, NEW), (1, THIRD)]));
    let (none, new, third) = (keys(&[]), keys(&[(0, NEW)]), keys(&[(0, THIRD)]));
    let elsewhere = keys(&[(1, NEW)]);
    #[rustfmt::skip]
    let table = [
        //                                            notify      hold        block
        ("nothing changed",         &settled, &none,  [To::GoOn, To::GoOn, To::GoOn]),
        ("it changed",              &settled, &new,   [To::Tell, To::Hold, To::Block]),
        ("nothing more changed",    &waits,   &none,  [To::Hold, To::Hold, To::Hold]),
        ("the one that waits",      &waits,   &new,   [To::Hold, To::Hold, To::Hold]),
        ("one more",                &waits,   &third, [To::Hold, To::Hold, To::Hold]),
        ("confirmed, no change",    &agreed,  &none,  [To::GoOn, To::GoOn, To::GoOn]),
        ("the confirmed one",       &agreed,  &new,   [To::GoOn, To::GoOn, To::GoOn]),
        ("not the confirmed one",   &agreed,  &third, [To::Tell, To::Hold, To::Block]),
        ("confirmed, and one more", &agreed,  &both,  [To::Tell, To::Hold, To::Block]),
        ("of another device",       &agreed,  &elsewhere, [To::Tell, To::Hold, To::Block]),
    ];
    for (situation, known, changed, expected) in table {
        assert_eq!(
            Policy::ALL.map(|policy| known.verdict(policy, changed)),
            expected,
            "{situation}"
        );
    }
}

#[test]
fn what_is_held_is_confirmed_and_then_goes_on_for_good() {
    let changed = keys(&[(0, NEW), (1, THIRD)]);
    let held = ContactKeys::default().after(Verdict::Hold, &changed);
    assert!(held.are_pending());
    let agreed = held.confirmed();
    assert!(!agreed.are_pending());
    // One device after the other, in whatever order their messages come.
    for (device, key) in changed {
        let one = keys(&[(device, key)]);
        assert_eq!(agreed.verdict(Policy::Hold, &one), Verdict::GoOn);
        assert_eq!(agreed.after(Verdict::GoOn, &one), agreed);
    }
}

#[test]
fn a_confirmed_key_does_not_come_back_unsaid() {
    let first = waiting(&[(0, NEW)]).confirmed();
    let second = first.after(Verdict::Hold, &keys(&[(0, THIRD)])).confirmed();
    assert_eq!(second.verdict(Policy::Hold, &keys(&[(0, NEW)])), Verdict::Hold);
    let told = first.after(Verdict::Tell, &keys(&[(0, THIRD)]));
    assert_eq!(told.verdict(Policy::Notify, &keys(&[(0, NEW)])), Verdict::Tell);
}

#[test]
fn another_key_voids_the_comparison() {
    let compared = ContactKeys::default().verified(OLD);
    for verdict in [Verdict::Tell, Verdict::Hold, Verdict::Block] {
        assert_eq!(compared.after(verdict, &keys(&[(0, NEW)])).verified, None);
    }
    assert_eq!(compared.after(Verdict::GoOn, &keys(&[])).verified, Some(OLD));
}

#[test]
fn a_comparison_confirms_the_key_that_was_compared_and_no_other() {
    let compared = waiting(&[(0, NEW), (1, THIRD)]).verified(NEW);
    assert_eq!(compared.verified, Some(NEW));
    assert_eq!(compared.pending, keys(&[(1, THIRD)]));
    assert_eq!(compared.confirmed, keys(&[(0, NEW)]));
    let settled = agreed(&[(0, NEW)]).verified(NEW);
    assert_eq!(settled.confirmed, keys(&[(0, NEW)]));
}

#[test]
fn a_number_that_differs_voids_the_comparison_of_that_key_and_lets_nothing_through() {
    let compared = ContactKeys::default().verified(OLD);
    assert_eq!(compared.differed(OLD).verified, None);
    assert_eq!(compared.differed(NEW), compared);
    let held = waiting(&[(0, NEW)]);
    assert_eq!(held.differed(NEW), held);
}

#[test]
fn a_policy_survives_its_name() {
    for policy in Policy::ALL {
        assert_eq!(Policy::from_name(policy.name()), Some(policy));
    }
    assert_eq!(Policy::from_name("ignore"), None);
}
