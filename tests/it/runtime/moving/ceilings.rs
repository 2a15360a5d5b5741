//! How large a file may be: by what is said of it, by its real bytes, and together with all others.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use assert_matches::assert_matches;
use causeway::port::{MediaStore as _, Storage as _};

use super::{
    Attachment, Described, Download, KIND, Leaving, LimitOf, MEDIA_RULES, MediaFailure, Mover,
    NotMoved, PATH, Stage, URI, attachment, file, ghost, in_pieces, move_in, move_out,
    move_out_with, network_file, too_large,
};

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
