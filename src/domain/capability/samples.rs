//! One or more samples of each kind in each direction.

mod from_matrix;
mod from_network;

pub(super) use from_matrix::from_matrix;
pub(super) use from_network::from_network;
use serde_json::Value;
use waproto::whatsapp::Message;

use super::Kind;

/// An event of a person.
pub(super) struct Sent {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) event_type: &'static str,
    pub(super) content: Value,
    /// The file in the clear, where it is looked at.
    pub(super) bytes: Vec<u8>,
}

/// A message of a contact.
pub(super) struct Received {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) message: Message,
}

/// Small pictures.
pub(super) mod pictures {
    use std::io::Cursor;

    use image::{DynamicImage, Frame, ImageFormat, Rgba, RgbaImage, codecs::gif::GifEncoder};

    pub(crate) fn picture(format: ImageFormat, alpha: u8) -> Vec<u8> {
        let shade = |value: u32| u8::try_from(value).unwrap();
        let color = |x: u32, y: u32| Rgba([shade(x * 8), shade(y * 12), 100, alpha]);
        let image = DynamicImage::ImageRgba8(RgbaImage::from_fn(30, 20, color));
        let image = match format {
            ImageFormat::Jpeg => DynamicImage::ImageRgb8(image.into_rgb8()),
            _ => image,
        };
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    pub(crate) fn moving_gif() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for shade in [0, 255] {
            let buffer = RgbaImage::from_pixel(30, 20, Rgba([shade, shade, shade, 255]));
            encoder.encode_frame(Frame::new(buffer)).unwrap();
        }
        drop(encoder);
        bytes
    }
}
