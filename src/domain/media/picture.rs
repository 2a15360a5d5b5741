//! Pictures: what one is, a small one of it, one that the network takes. Whatever a stranger sends as
//! one is looked at with limits on what it may unfold to. It must not know where pictures come from.

use std::io::Cursor;

use image::{
    AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    codecs::{
        gif::GifDecoder,
        jpeg::JpegEncoder,
        png::{PngDecoder, PngEncoder},
        webp::WebPDecoder,
    },
};

use crate::domain::limits;

/// What the head of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub format: PictureFormat,
    /// In pixels, as it is to be shown.
    pub width: u32,
    pub height: u32,
}

/// The formats that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    Jpeg,
    Png,
    Gif,
    WebP,
}

impl PictureFormat {
    pub fn mimetype(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    fn of(format: ImageFormat) -> Option<Self> {
        Some(match format {
            ImageFormat::Jpeg => Self::Jpeg,
            ImageFormat::Png => Self::Png,
            ImageFormat::Gif => Self::Gif,
            ImageFormat::WebP => Self::WebP,
            _ => return None,
        })
    }
}

/// A picture in a format that the network takes.
#[derive(Clone, PartialEq, Eq)]
pub struct Converted {
    pub bytes: Vec<u8>,
    pub format: PictureFormat,
}

/// A picture, unfolded: at most [`limits::PICTURE_PIXELS_MAX`].
pub struct Picture(DynamicImage);

/// Looks at the head alone. `None` if it is no picture that is understood.
pub fn look(bytes: &[u8]) -> Option<Look> {
    let (mut decoder, format) = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    let turned = decoder.orientation().is_ok_and(|orientation| {
        use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
    });
    let (width, height) = if turned { (height, width) } else { (width, height) };
    Some(Look { format, width, height })
}

/// Whether it moves. A picture that is damaged behind its first frame does not.
pub fn is_animated(bytes: &[u8], format: PictureFormat) -> bool {
    let cursor = Cursor::new(bytes);
    match format {
        PictureFormat::Jpeg => false,
        PictureFormat::Png => {
            PngDecoder::new(cursor).is_ok_and(|png| png.is_apng().unwrap_or(false))
        }
        PictureFormat::WebP => WebPDecoder::new(cursor).is_ok_and(|webp| webp.has_animation()),
        PictureFormat::Gif => GifDecoder::new(cursor)
            .and_then(|mut gif| gif.set_limits(bounds()).map(|()| gif))
            .is_ok_and(|gif| gif.into_frames().take(2).flatten().count() == 2),
    }
}

impl Picture {
    /// Unfolds a picture, of one that moves the first frame. `None` if it is damaged or too large.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (mut decoder, _) = decoder(bytes)?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        // The decoders' own limit does not count the picture that comes out.
        let unfolded = decoder.total_bytes();
        if pixels > limits::PICTURE_PIXELS_MAX || unfolded > limits::PICTURE_UNFOLDED_BYTES_MAX {
            return None;
        }
        let orientation = decoder.orientation().ok();
        let mut image = DynamicImage::from_decoder(decoder).ok()?;
        if let Some(orientation) = orientation {
            image.apply_orientation(orientation);
        }
        Some(Self(image))
    }

    /// In pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.0.width(), self.0.height())
    }

    /// A small JPEG of it, for the inside of a message. `None` if it does not become small enough.
    pub fn thumbnail(&self) -> Option<Vec<u8>> {
        const SIDE: u32 = limits::THUMBNAIL_PIXELS_MAX;
        let small = match self.size() {
            (width, height) if width <= SIDE && height <= SIDE => on_white(&self.0),
            _ => on_white(&self.0.thumbnail(SIDE, SIDE)),
        };
        let jpegs = [75, 50, 25, 10].into_iter().filter_map(|quality| jpeg(&small, quality));
        jpegs.into_iter().find(|jpeg| jpeg.len() <= limits::THUMBNAIL_BYTES_MAX)
    }

    /// A blur of it in a few characters (MSC2448).
    pub fn blurhash(&self) -> Option<String> {
        const SIDE: u32 = 32;
        let small = self.0.thumbnail(SIDE, SIDE).into_rgba8();
        let (width, height) = small.dimensions();
        let (x, y) = if width >= height { (4, 3) } else { (3, 4) };
        blurhash::encode(x, y, width, height, small.as_raw()).ok()
    }

    /// As a JPEG, or as a PNG if one can look through it.
    pub fn convert(self) -> Option<Converted> {
        let (bytes, format) = if is_opaque(&self.0) {
            (jpeg(&self.0.into_rgb8(), 90)?, PictureFormat::Jpeg)
        } else {
            let mut bytes = Vec::new();
            let rgba = DynamicImage::ImageRgba8(self.0.into_rgba8());
            rgba.write_with_encoder(PngEncoder::new(&mut bytes)).ok()?;
            (bytes, PictureFormat::Png)
        };
        (bytes.len() as u64 <= limits::PICTURE_BYTES_MAX).then_some(Converted { bytes, format })
    }
}

fn decoder(bytes: &[u8]) -> Option<(impl ImageDecoder + '_, PictureFormat)> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let format = PictureFormat::of(reader.format()?)?;
    reader.limits(bounds());
    Some((reader.into_decoder().ok()?, format))
}

/// What a decoder may unfold a picture to.
fn bounds() -> Limits {
    let mut bounds = Limits::no_limits();
    bounds.max_image_width = Some(limits::PICTURE_SIDE_MAX);
    bounds.max_image_height = Some(limits::PICTURE_SIDE_MAX);
    bounds.max_alloc = Some(limits::PICTURE_UNFOLDED_BYTES_MAX);
    bounds
}

fn is_opaque(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageRgba8(rgba) => rgba.pixels().all(|pixel| pixel.0[3] == u8::MAX),
        other => !other.color().has_alpha(),
    }
}

/// JPEG knows no transparency; what is behind it would be black.
fn on_white(image: &DynamicImage) -> RgbImage {
    let rgba = image.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0.map(u32::from);
        let mixed = |color: u32| (color * alpha + 255 * (255 - alpha)) / 255;
        Rgb([red, green, blue].map(|color| u8::try_from(mixed(color)).unwrap_or(u8::MAX)))
    })
}

fn jpeg(image: &RgbImage, quality: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality)).ok()?;
    Some(bytes)
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Picture").field(&self.size()).finish()
    }
}

impl std::fmt::Debug for Converted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Converted").field(&self.format).field(&self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use image::{Delay, Frame, RgbaImage, codecs::gif::GifEncoder};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn picture(width: u32, height: u32, alpha: u8) -> DynamicImage {
        let shade = |x: u32, y: u32| u8::try_from((x * 7 + y * 13) % 256).unwrap();
        let color = |x, y| image::Rgba([shade(x, y), shade(y, x), 100, alpha]);
        DynamicImage::ImageRgba8(RgbaImage::from_fn(width, height, color))
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let image = match format {
            ImageFormat::Jpeg => DynamicImage::ImageRgb8(image.to_rgb8()),
            _ => image.clone(),
        };
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn moving_gif(frames: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for _ in 0..frames {
            let buffer = picture(8, 8, 255).into_rgba8();
            let delay = Delay::from_numer_denom_ms(100, 1);
            encoder.encode_frame(Frame::from_parts(buffer, 0, 0, delay)).unwrap();
        }
        drop(encoder);
        bytes
    }

    #[test]
    fn every_format_is_recognized() {
        for (format, expected) in [
            (ImageFormat::Jpeg, PictureFormat::Jpeg),
            (ImageFormat::Png, PictureFormat::Png),
            (ImageFormat::Gif, PictureFormat::Gif),
            (ImageFormat::WebP, PictureFormat::WebP),
        ] {
            let bytes = encoded(&picture(30, 20, 255), format);
            let seen = look(&bytes);
            assert_eq!(seen, Some(Look { format: expected, width: 30, height: 20 }));
            assert!(!is_animated(&bytes, expected));
            assert_eq!(Picture::decode(&bytes).unwrap().size(), (30, 20));
        }
        assert_eq!(look(b"<svg></svg>"), None);
        assert_eq!(look(b""), None);
    }

    #[test]
    fn what_moves_is_recognized() {
        assert!(is_animated(&moving_gif(2), PictureFormat::Gif));
        assert!(!is_animated(&moving_gif(1), PictureFormat::Gif));
        assert!(!is_animated(b"GIF89a", PictureFormat::Gif));
    }

    #[test]
    fn a_thumbnail_is_small_whatever_it_is_of() {
        let noise = |x: u32, y: u32| {
            let mixed = (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b)).to_le_bytes();
            image::Rgba([mixed[0], mixed[1], mixed[2], 255])
        };
        let noisy = DynamicImage::ImageRgba8(RgbaImage::from_fn(400, 400, noise));
        for image in [noisy, picture(2000, 10, 128), picture(1, 1, 255), picture(10, 3000, 255)] {
            let thumbnail = Picture(image).thumbnail().unwrap();
            assert!(thumbnail.len() <= limits::THUMBNAIL_BYTES_MAX);
            let Look { format, width, height } = look(&thumbnail).unwrap();
            assert_eq!(format, PictureFormat::Jpeg);
            assert!(width.max(height) <= limits::THUMBNAIL_PIXELS_MAX);
        }
    }

    #[test]
    fn a_small_picture_is_not_blown_up() {
        let thumbnail = Picture(picture(20, 10, 255)).thumbnail().unwrap();
        assert_eq!(look(&thumbnail).map(|look| (look.width, look.height)), Some((20, 10)));
    }

    #[test]
    fn what_one_can_look_through_stays_so() {
        let webp = |alpha| encoded(&picture(30, 20, alpha), ImageFormat::WebP);
        let converted = |bytes: &[u8]| Picture::decode(bytes).unwrap().convert().unwrap();
        assert_eq!(converted(&webp(255)).format, PictureFormat::Jpeg);
        let png = converted(&webp(100));
        assert_eq!(png.format, PictureFormat::Png);
        assert_eq!(look(&png.bytes).unwrap().format, PictureFormat::Png);
        assert_eq!(converted(&moving_gif(3)).format, PictureFormat::Jpeg);
    }

    #[test]
    fn a_blur_is_a_few_characters() {
        let blur = Picture(picture(300, 200, 255)).blurhash().unwrap();
        assert_eq!(blur.len(), 28);
        assert!(Picture(picture(1, 1, 0)).blurhash().is_some());
    }

    #[test]
    fn a_picture_has_a_limit_in_pixels() {
        // A PNG of one color is tiny and unfolds to whatever its head says.
        let side = |pixels: u64| u32::try_from(pixels / 1000).unwrap();
        let gray = |height| DynamicImage::new_luma8(1000, height);
        let largest = gray(side(limits::PICTURE_PIXELS_MAX));
        assert!(Picture::decode(&encoded(&largest, ImageFormat::Png)).is_some());
        let past = gray(side(limits::PICTURE_PIXELS_MAX) + 1);
        assert!(Picture::decode(&encoded(&past, ImageFormat::Png)).is_none());
    }

    #[test]
    fn a_picture_has_a_limit_in_its_sides() {
        let line = |width| encoded(&DynamicImage::new_luma8(width, 1), ImageFormat::Png);
        assert!(look(&line(limits::PICTURE_SIDE_MAX)).is_some());
        assert!(look(&line(limits::PICTURE_SIDE_MAX + 1)).is_none());
    }

    #[test]
    fn a_picture_has_a_limit_in_what_it_unfolds_to() {
        // 16 bits a color: within the pixels, not within the bytes.
        let deep = DynamicImage::new_rgba16(4000, 2200);
        const { assert!(8 * 4000 * 2200 > limits::PICTURE_UNFOLDED_BYTES_MAX) };
        assert!(Picture::decode(&encoded(&deep, ImageFormat::Png)).is_none());
    }

    #[test]
    fn a_photograph_is_shown_the_right_way_up() {
        let jpeg = encoded(&picture(30, 20, 255), ImageFormat::Jpeg);
        // An Exif segment that says "rotate by 90 degrees", behind the start of the file.
        let mut turned = jpeg[..2].to_vec();
        turned.extend(b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01");
        turned.extend(b"\0\x06\0\0\0\0\0\0");
        turned.extend(&jpeg[2..]);
        let seen = look(&turned).unwrap();
        assert_eq!((seen.width, seen.height), (20, 30));
        assert_eq!(Picture::decode(&turned).unwrap().size(), (20, 30));
    }

    proptest! {
        #[test]
        fn damaged_pictures_never_panic(
            format in prop::sample::select(
                &[ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP][..]
            ),
            damages in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = encoded(&picture(16, 9, 200), format);
            for (at, byte) in damages {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Some(Look { format, .. }) = look(&bytes) {
                is_animated(&bytes, format);
            }
            if let Some(picture) = Picture::decode(&bytes) {
                picture.thumbnail();
                picture.blurhash();
                picture.convert();
            }
        }
    }
}
