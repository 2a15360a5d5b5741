//! How loud a voice message is over its length: the network's samples and Matrix's (MSC1767,
//! MSC3245). Pure.

use causeway_wire::message::MAX_LOUDNESS;

/// How many samples the network's own apps send.
const NETWORK_SAMPLES: usize = 64;

/// How loud a Matrix sample gets (MSC1767, as it was first written and as clients send it).
const MATRIX_LOUDNESS: u64 = 1024;

/// The fewest and the most samples that Matrix clients expect (MSC1767).
const MATRIX_SAMPLES: std::ops::RangeInclusive<usize> = 30..=120;

/// Samples of Matrix, of which the loudest possible is `full`, as the network takes them. None if
/// there are none.
pub(super) fn to_network(samples: &[u64], full: u64) -> Vec<u8> {
    let scaled = samples.iter().map(|sample| scale(*sample, full, u64::from(MAX_LOUDNESS)));
    let scaled: Vec<_> = scaled.collect();
    let resampled = resample(&scaled, NETWORK_SAMPLES);
    resampled.into_iter().map(|sample| u8::try_from(sample).unwrap_or(MAX_LOUDNESS)).collect()
}

/// Samples of the network as Matrix clients take them. None if there are none.
pub(super) fn to_matrix(samples: &[u8]) -> Vec<u64> {
    let full = u64::from(MAX_LOUDNESS);
    let scaled = samples.iter().map(|sample| scale(u64::from(*sample), full, MATRIX_LOUDNESS));
    let scaled: Vec<_> = scaled.collect();
    let (fewest, most) = (*MATRIX_SAMPLES.start(), *MATRIX_SAMPLES.end());
    resample(&scaled, samples.len().clamp(fewest, most))
}

fn scale(sample: u64, from: u64, to: u64) -> u64 {
    (sample.min(from) * to + from / 2) / from
}

/// As many samples as asked for: the mean of those that one stands for, or the nearest.
fn resample(samples: &[u64], count: usize) -> Vec<u64> {
    if samples.is_empty() {
        return Vec::new();
    }
    let mean = |index: usize| {
        let start = index * samples.len() / count;
        let end = ((index + 1) * samples.len() / count).max(start + 1);
        let part = &samples[start..end];
        let half = part.len() as u64 / 2;
        (part.iter().sum::<u64>() + half) / part.len() as u64
    };
    (0..count).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use causeway_wire::message::MAX_WAVEFORM_BYTES;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn the_quietest_and_the_loudest_stay_so() {
        let network = to_network(&[0, MATRIX_LOUDNESS], MATRIX_LOUDNESS);
        assert_eq!((network.first(), network.last()), (Some(&0), Some(&MAX_LOUDNESS)));
        let matrix = to_matrix(&network);
        assert_eq!((matrix.first(), matrix.last()), (Some(&0), Some(&MATRIX_LOUDNESS)));
        assert_eq!(matrix.len(), NETWORK_SAMPLES);
    }

    #[test]
    fn no_samples_stay_none() {
        assert_eq!(to_network(&[], MATRIX_LOUDNESS), [0; 0]);
        assert_eq!(to_matrix(&[]), [0; 0]);
    }

    #[test]
    fn the_shape_survives_the_way_there_and_back() {
        let shape: Vec<_> = (0..64).map(|index| (index % 8) * 12).collect();
        let matrix = to_matrix(&shape);
        assert_eq!(to_network(&matrix, MATRIX_LOUDNESS), shape);
    }

    proptest! {
        #[test]
        fn any_samples_come_out_within_bounds(
            matrix in vec(any::<u64>(), 1..500),
            network in vec(any::<u8>(), 1..500),
            full in 1..=MATRIX_LOUDNESS,
        ) {
            let sent = to_network(&matrix, full);
            prop_assert!((1..=MAX_WAVEFORM_BYTES).contains(&sent.len()));
            prop_assert!(sent.iter().all(|sample| *sample <= MAX_LOUDNESS));
            let received = to_matrix(&network);
            prop_assert!(MATRIX_SAMPLES.contains(&received.len()));
            prop_assert!(received.iter().all(|sample| *sample <= MATRIX_LOUDNESS));
        }
    }
}
