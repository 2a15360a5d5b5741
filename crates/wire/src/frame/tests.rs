use proptest::{collection::vec, prelude::*};

use super::*;

fn frames_of(decoder: &mut Decoder) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| decoder.next_frame().unwrap()).collect()
}

#[test]
fn a_frame_of_the_limit_passes_and_one_byte_more_is_refused() {
    let payload = vec![7; MAX_FRAME];
    let frame = encode(&payload).unwrap();
    let mut decoder = Decoder::new();
    decoder.push(&frame);
    assert_eq!(decoder.next_frame().unwrap().unwrap().len(), MAX_FRAME);

    let length = MAX_FRAME + 1;
    assert_eq!(encode(&vec![7; length]), Err(FrameError::TooLong { length }));
    let announced = u32::try_from(length).unwrap().to_be_bytes();
    let mut decoder = Decoder::new();
    decoder.push(&announced[1..]);
    assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { length }));
    decoder.push(&encode(b"too late").unwrap());
    assert_eq!(decoder.next_frame(), Err(FrameError::TooLong { length }));
}

#[test]
fn what_waits_for_its_reader_is_bounded() {
    let mut decoder = Decoder::new();
    decoder.push(&vec![0; MAX_BUFFERED]);
    assert_eq!(decoder.next_frame(), Ok(Some(Vec::new())));

    let mut decoder = Decoder::new();
    decoder.push(&vec![0; MAX_BUFFERED]);
    decoder.push(&[0]);
    assert_eq!(decoder.next_frame(), Err(FrameError::Overflow));
}

#[test]
fn the_preamble_is_read_with_and_without_routing() {
    let plain = Preamble { header: HEADER, routing: None };
    assert_eq!(Preamble::parse(b"WA\x06\x03rest"), Ok(Some((plain, 4))));

    let routed = b"ED\x00\x01\x00\x00\x02hiWA\x06\x03rest";
    let preamble = Preamble { header: HEADER, routing: Some(b"hi".to_vec()) };
    assert_eq!(Preamble::parse(routed), Ok(Some((preamble, 13))));
    for cut in 0..13 {
        assert_eq!(Preamble::parse(&routed[..cut]), Ok(None), "cut at {cut}");
    }
}

#[test]
fn a_stream_that_is_not_ours_is_refused() {
    assert_eq!(Preamble::parse(b"GET /"), Err(FrameError::NotThisProtocol));
    let old = Preamble::parse(b"WA\x06\x02");
    assert_eq!(old, Err(FrameError::UnknownDictionary { version: 2 }));

    let with_routing = |length: usize| {
        let announced = u32::try_from(length).unwrap().to_be_bytes();
        Preamble::parse(&[b"ED\x00\x01", &announced[1..]].concat())
    };
    assert_eq!(with_routing(MAX_ROUTING), Ok(None));
    let length = MAX_ROUTING + 1;
    assert_eq!(with_routing(length), Err(FrameError::RoutingTooLong { length }));
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        payloads in vec(vec(any::<u8>(), 0..40), 0..8),
        cuts in vec(1_usize..17, 1..20),
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|p| encode(p).unwrap()).collect();
        let mut decoder = Decoder::new();
        let mut frames = Vec::new();
        let mut rest = stream.as_slice();
        for size in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at((*size).min(rest.len()));
            decoder.push(piece);
            frames.extend(frames_of(&mut decoder));
            rest = later;
        }
        prop_assert_eq!(frames, payloads);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        Preamble::parse(&bytes).ok();
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }
}
