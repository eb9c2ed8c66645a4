//! What every store of mailboxes must do: its laws one by one, and any sequence of verbs beside a
//! simple store in memory.
//!
//! What is it: tests as functions over a [`Stage`], and [`laws!`], which makes a test of each.
//! Who calls it: the tests of each store (`gateway/tests/store`, `gateway/postgres/tests`). What
//! can go wrong: a law that is broken fails the test of its name.

#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

pub mod copies;
pub mod find;
pub mod full;
pub mod model;
pub mod moves;
pub mod suite;

use std::sync::Arc;
use std::time::Duration;

use packmule_gateway::store::{Enqueued, Letter, Limits, MailboxStore, Moment};

/// Who gets mail in the tests.
pub const ALICE: &str = "did:example:alice";
/// Who writes to her, mostly.
pub const BOB: &str = "did:example:bob";
/// A friend of both.
pub const CAROL: &str = "did:example:carol";

/// A place with one store that may be opened again, with other limits.
pub trait Stage: Sized {
    /// How many sequences of verbs the model judges.
    const CASES: u32 = 24;

    /// A place where nothing is held.
    fn new() -> impl Future<Output = Self>;

    /// The store of this place, with what it holds.
    fn open(&self, limits: Limits) -> impl Future<Output = Arc<dyn MailboxStore>>;

    /// Nothing is held here from now on. What was opened before is dropped already.
    fn clear(&mut self) -> impl Future<Output = ()>;
}

/// A test for each law, about the stores of this [`Stage`].
#[macro_export]
macro_rules! laws {
    ($stage:ty) => {
        $crate::laws!(@ $stage, suite,
            a_letter_is_held_until_it_is_acked_and_is_not_taken_again,
            what_is_no_jwe_comes_back_byte_for_byte,
            the_urgent_goes_first_then_the_older_and_pages_end_by_bytes,
            a_delayed_letter_does_not_wait_yet,
            what_expires_ends_as_a_dead_letter_and_is_not_given_out,
            a_closed_account_leaves_dead_letters_and_may_be_opened_anew,
            a_did_is_bound_to_whom_asked_first_and_an_account_outranks_it,
            both_forms_of_a_did_peer_4_name_one_mailbox,
            letters_are_told_apart_by_the_did_they_are_for,
            an_account_that_changes_its_did_keeps_all_it_has,
            the_seen_are_known_for_a_time_and_a_number,
            what_was_not_done_may_be_asked_for_once_more,
            many_at_once_take_and_collect_everything_once,
        );
        $crate::laws!(@ $stage, find,
            a_message_is_followed_from_its_coming_to_its_end,
            what_was_collected_after_all_counts_as_collected,
            of_several_who_got_it_the_one_that_holds_it_counts,
            a_copy_is_the_message_and_leaves_it_held,
            a_name_that_begins_alike_is_another,
        );
        $crate::laws!(@ $stage, copies,
            what_expired_may_come_again_and_what_was_collected_may_not,
            a_copy_gives_what_is_held_the_longer_life_and_the_shorter_delay,
            of_two_copies_that_come_together_the_longer_life_and_the_shorter_delay_count,
        );
        $crate::laws!(@ $stage, moves,
            an_old_word_does_not_move_an_account_back,
        );
        $crate::laws!(@ $stage, full,
            each_limit_refuses_with_its_own_reason_and_acks_make_room,
            another_sender_has_a_share_of_its_own,
            the_known_are_bounded_in_number,
        );

        #[test]
        fn a_store_does_what_the_simple_one_does() {
            $crate::model::a_store_does_what_the_simple_one_does::<$stage>();
        }
    };
    (@ $stage:ty, $module:ident, $($law:ident,)*) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $law() {
            $crate::$module::$law::<$stage>().await;
        }
    )* };
}

/// When the tests take place.
pub fn noon() -> Moment {
    Moment::from_secs(1_800_000_000)
}

/// So many seconds after [`noon`].
pub fn later(seconds: u64) -> Moment {
    noon() + Duration::from_secs(seconds)
}

/// Limits that no test is to meet by chance.
pub fn small() -> Limits {
    Limits::default()
}

/// A JWE as agents pack them, of about so many bytes; no two numbers give the same.
pub fn packed(number: usize, bytes: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = |length: usize| -> String {
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(LETTERS[(state >> 33) as usize % 64])
        };
        (0..length).map(|_| letter()).collect()
    };
    // Lengths that are multiples of four are canonical base64url whatever their letters.
    let ciphertext = text(bytes.saturating_sub(420).max(16) / 4 * 4);
    let key = text(72);
    format!(
        r##"{{"protected":"eyJ0eXAiOiJhcHBsaWNhdGlvbi9kaWRjb21tLWVuY3J5cHRlZCtqc29uIiwiYWxnIjoiRUNESC1FUytBMjU2S1ciLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIn0","recipients":[{{"header":{{"kid":"did:example:alice#key-2"}},"encrypted_key":"{key}"}}],"iv":"AAAAAAAAAAAAAAAA","ciphertext":"{ciphertext}","tag":"AAAAAAAAAAAAAAAA"}}"##
    )
    .into()
}

/// A letter to an account that lasts an hour from noon.
pub fn letter(account: &str, number: usize) -> Letter {
    Letter::new(account, account, &packed(number, 700), later(3600)).unwrap()
}

/// Collects all that waits for an account at noon, so many at a time.
///
/// # Panics
/// When the store fails.
pub async fn drain(store: &dyn MailboxStore, account: &str, at_once: u32) {
    loop {
        let page = store.page(account, None, at_once, u64::MAX, noon());
        let page = page.await.unwrap();
        if page.is_empty() {
            return;
        }
        let ids: Vec<_> = page.iter().map(|held| held.id).collect();
        store.ack(account, &ids, noon()).await.unwrap();
    }
}

/// Brings one letter.
///
/// # Panics
/// When the store fails.
pub async fn take(store: &dyn MailboxStore, letter: Letter, now: Moment) -> Enqueued {
    store.enqueue(vec![letter], now).await.unwrap().remove(0)
}

/// Was it taken on?
pub fn is_stored(outcome: &Enqueued) -> bool {
    matches!(outcome, Enqueued::Stored(..))
}
