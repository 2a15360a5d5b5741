//! Files that somebody must look at, and which are therefore whole in memory.

use assert_matches::assert_matches;
use futures_util::FutureExt as _;

use super::{
    Attachment, Download, KIND, LimitOf, MEDIA_RULES, MediaFailure, Mover, NotMoved, Stage, URI,
    attachment, file, ghost, in_pieces, limits, login, opened, too_large,
};

/// Fetches a file whole, of up to so many bytes.
async fn fetch_whole(stage: &Stage, file: Attachment, bytes_max: u64) -> Result<Vec<u8>, NotMoved> {
    let ports = stage.ports();
    let fetching = async move {
        let mover = Mover::new(ports);
        let turn = mover.whole_turn().await;
        mover.fetch_whole(&turn, &ghost(), &file, bytes_max).await.map(|bytes| bytes.to_vec())
    };
    stage.run(fetching).await
}

#[tokio::test]
async fn a_file_is_fetched_whole_up_to_the_limit() {
    let stage = Stage::new().await;
    for (size, says_length) in [(0, true), (1, true), (70_000, true), (70_000, false)] {
        let (ciphertext, described) = attachment(&file(size));
        stage.homeserver.files.serve(URI, move || {
            let length = says_length.then_some(ciphertext.len() as u64);
            Ok(Download { length, bytes: in_pieces(&ciphertext, 50_000) })
        });
        let attachment = Attachment::Encrypted(described);
        let fits = fetch_whole(&stage, attachment.clone(), size as u64).await.unwrap();
        assert_eq!(fits, file(size));
        if let Some(less) = size.checked_sub(1) {
            let outcome = fetch_whole(&stage, attachment, less as u64).await;
            assert_eq!(too_large(outcome), (less as u64, LimitOf::Bridge));
        }
    }
    stage.homeserver.files.put(URI, file(10));
    let plain = fetch_whole(&stage, Attachment::Plain(URI.into()), 10).await.unwrap();
    assert_eq!(plain, file(10));
}

#[tokio::test]
async fn a_changed_file_is_not_fetched_whole() {
    let stage = Stage::new().await;
    let (mut ciphertext, described) = attachment(b"small");
    ciphertext[2] ^= 1;
    stage.homeserver.files.put(URI, ciphertext);
    let outcome = fetch_whole(&stage, Attachment::Encrypted(described), 100).await;
    assert_matches!(outcome, Err(NotMoved::ForGood(MediaFailure::Damaged)));
}

#[tokio::test]
async fn a_file_in_memory_is_hosted_and_uploaded() {
    let stage = Stage::new().await;
    for size in [0, 1, 200_000] {
        let ports = stage.ports();
        let moving = async move {
            let mover = Mover::new(ports);
            let (turn, login) = (mover.whole_turn().await, login());
            let hosted = mover.host_whole(&turn, &login, KIND, file(size)).await.unwrap();
            let turn = mover.turn().unwrap();
            (hosted, mover.upload_whole(&turn, &ghost(), &file(size)).await.unwrap())
        };
        let (hosted, uploaded) = stage.run(moving).await;
        assert_eq!(opened(&stage, &hosted).await, file(size));
        let uploaded = Attachment::Encrypted(uploaded);
        assert_eq!(fetch_whole(&stage, uploaded, size as u64).await.unwrap(), file(size));
    }
    let (ports, max) = (stage.ports(), usize::try_from(MEDIA_RULES.max_bytes).unwrap());
    let moving = async move {
        let mover = Mover::new(ports);
        mover.host_whole(&mover.whole_turn().await, &login(), KIND, file(max + 1)).await
    };
    assert_eq!(too_large(stage.run(moving).await), (MEDIA_RULES.max_bytes, LimitOf::Bridge));
    stage.homeserver.limit_media(9);
    let ports = stage.ports();
    let moving = async move {
        let mover = Mover::new(ports);
        mover.upload_whole(&mover.turn().unwrap(), &ghost(), &file(10)).await
    };
    assert_eq!(too_large(stage.run(moving).await), (9, LimitOf::Homeserver));
}

#[tokio::test]
async fn few_files_are_whole_in_memory() {
    let stage = Stage::new().await;
    let mover = Mover::new(stage.ports());
    let mut turns = Vec::new();
    for _ in 0..limits::WHOLE_FILES_AT_ONCE_MAX {
        turns.push(mover.whole_turn().await);
    }
    let mut next = Box::pin(mover.whole_turn());
    assert!((&mut next).now_or_never().is_none());
    turns.pop();
    assert!((&mut next).now_or_never().is_some());
}
