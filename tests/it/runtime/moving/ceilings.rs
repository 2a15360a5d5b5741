//! How large a file may be: by what is said of it, by its real bytes, and together with all others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use assert_matches::assert_matches;
use causeway::{
    domain::limits,
    port::{MediaStore as _, Storage as _},
};
use futures_util::StreamExt as _;

use super::{
    Attachment, Described, Download, KIND, Leaving, LimitOf, MEDIA_RULES, MediaFailure, Mover,
    NotMoved, PATH, Stage, URI, attachment, file, ghost, in_pieces, move_in, move_out,
    move_out_with, network_file, too_large,
};
use crate::runtime::surroundings::Gate;

#[tokio::test]
async fn a_file_that_is_too_large_is_not_fetched() {
    let stage = Stage::new().await;
    let fetches = Arc::new(AtomicU32::new(0));
    let count = |serve: fn() -> Result<Download, MediaFailure>| {
        let fetches = Arc::clone(&fetches);
        move || {
            fetches.fetch_add(1, Ordering::SeqCst);
            serve()
        }
    };
    stage.homeserver.files.serve(URI, count(|| Err(MediaFailure::Gone)));
    stage.network.files.serve(PATH, count(|| Err(MediaFailure::Gone)));
    let (_, out) = attachment(b"");
    let (_, inward) = network_file(b"");

    let max = MEDIA_RULES.max_bytes;
    let claimed = move_out_with(&stage, stage.ports(), &out, Some(max + 1)).await;
    assert_eq!(too_large(claimed), (max, LimitOf::Bridge));
    let outcome = move_in(&stage, &Described { length: max + 1, ..inward.clone() }).await;
    assert_eq!(too_large(outcome), (max, LimitOf::Bridge));
    stage.homeserver.limit_media(50);
    let outcome = move_in(&stage, &Described { length: 51, ..inward.clone() }).await;
    assert_eq!(too_large(outcome), (50, LimitOf::Homeserver));
    assert_eq!(fetches.load(Ordering::SeqCst), 0);

    let claimed = move_out_with(&stage, stage.ports(), &out, Some(max)).await;
    assert_matches!(claimed, Err(NotMoved::ForGood(MediaFailure::Gone)));
    let outcome = move_in(&stage, &Described { length: 50, ..inward }).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Gone)));
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

/// Whatever the event and the homeserver say, or do not say.
#[tokio::test]
async fn a_files_real_bytes_are_counted() {
    let stage = Stage::new().await;
    let max = usize::try_from(MEDIA_RULES.max_bytes).unwrap();
    for (size, fits) in [(max, true), (max + 1, false)] {
        let (ciphertext, described) = attachment(&file(size));
        let bytes = ciphertext.clone();
        stage
            .homeserver
            .files
            .serve(URI, move || Ok(Download { length: None, bytes: in_pieces(&bytes, 50_000) }));
        let outcome = move_out_with(&stage, stage.ports(), &described, Some(1)).await;
        if fits {
            assert_eq!(outcome.unwrap().hashes.file_length, size as u64);
            continue;
        }
        assert_eq!(too_large(outcome), (MEDIA_RULES.max_bytes, LimitOf::Bridge));
        stage.homeserver.files.put(URI, ciphertext);
        assert_eq!(too_large(move_out(&stage, &described).await).1, LimitOf::Bridge, "by its head");
    }
    assert_eq!(stage.media.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_quota_is_for_everything_that_a_login_has_hosted() {
    let (stage, room) = Stage::connected().await;
    let login = stage.storage().portal_of_room(&room).await.unwrap().unwrap().key.login;
    let (ciphertext, described) = attachment(&file(900_000));
    stage.homeserver.files.put(URI, ciphertext);
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        let (login, file, ports) =
            (login.clone(), Attachment::Encrypted(described.clone()), stage.ports());
        let moving = async move {
            let mover = Mover::new(ports.clone());
            let who = ghost();
            let leaving =
                Leaving { login: &login, who: &who, file: &file, kind: KIND, claimed: None };
            let moved = mover.to_network(&mover.turn().unwrap(), &leaving).await?;
            ports.storage.commit(vec![moved.change]).await.unwrap();
            Ok::<_, NotMoved>(())
        };
        outcomes.push(stage.run(moving).await);
    }
    let third = outcomes.pop().unwrap();
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(too_large(third), (MEDIA_RULES.quota_bytes, LimitOf::Quota));
}

/// Files of one login that are moved at the same time.
#[tokio::test]
async fn what_is_on_its_way_counts_against_the_quota() {
    let (stage, room) = Stage::connected().await;
    let login = stage.storage().portal_of_room(&room).await.unwrap().unwrap().key.login;
    let (ciphertext, described) = attachment(&file(900_000));
    let (gate, fetches) = (Arc::<Gate>::default(), Arc::new(AtomicU32::new(0)));
    let (held, counter) = (Arc::clone(&gate), Arc::clone(&fetches));
    stage.homeserver.files.serve(URI, move || {
        counter.fetch_add(1, Ordering::SeqCst);
        let held = Arc::clone(&held);
        let pass = move |piece| {
            let held = Arc::clone(&held);
            async move {
                held.pass().await;
                piece
            }
        };
        let length = u64::try_from(ciphertext.len()).ok();
        Ok(Download { length, bytes: in_pieces(&ciphertext, 50_000).then(pass).boxed() })
    });
    let mover = Mover::new(stage.ports());
    let moves = || {
        let (mover, login) = (mover.clone(), login.clone());
        let file = Attachment::Encrypted(described.clone());
        async move {
            let who = ghost();
            let leaving =
                Leaving { login: &login, who: &who, file: &file, kind: KIND, claimed: None };
            mover.to_network(&mover.turn().unwrap(), &leaving).await
        }
    };

    gate.close();
    let first = tokio::spawn(moves());
    let second = tokio::spawn(moves());
    let both_are_on_their_way = || fetches.load(Ordering::SeqCst) == 2 && gate.is_waited_at();
    stage.until("two files on their way", both_are_on_their_way).await;
    assert_matches!(moves().await, Err(NotMoved::Later(_)), "one of them may come to nothing");
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    let second = tokio::spawn(moves());
    gate.open();
    let (first, second) = (first.await.unwrap().unwrap(), second.await.unwrap().unwrap());
    assert_matches!(moves().await, Err(NotMoved::Later(_)), "their rows are to come");
    stage.storage().commit(vec![first.change]).await.unwrap();
    assert_matches!(moves().await, Err(NotMoved::Later(_)), "the row of one is to come");
    stage.storage().commit(vec![second.change]).await.unwrap();
    assert_eq!(too_large(moves().await), (MEDIA_RULES.quota_bytes, LimitOf::Quota));
}

#[tokio::test]
async fn a_place_in_the_quota_is_free_again_if_no_row_comes() {
    let (stage, room) = Stage::connected().await;
    let login = stage.storage().portal_of_room(&room).await.unwrap().unwrap().key.login;
    let (ciphertext, described) = attachment(&file(900_000));
    stage.homeserver.files.put(URI, ciphertext);
    let mover = Mover::new(stage.ports());
    let (who, file) = (ghost(), Attachment::Encrypted(described));
    let leaving = Leaving { login: &login, who: &who, file: &file, kind: KIND, claimed: None };
    for _ in 0..2 {
        assert!(mover.to_network(&mover.turn().unwrap(), &leaving).await.is_ok());
    }
    let moves = || async { mover.to_network(&mover.turn().unwrap(), &leaving).await };
    stage.clock.advance(limits::HOSTED_ROW_WAIT);
    assert_matches!(moves().await, Err(NotMoved::Later(_)));
    stage.clock.advance(Duration::from_millis(1));
    assert!(moves().await.is_ok());
}
