//! Places. Only received: partners have no locations (network facts 2.5).

use std::fmt;

use waproto::tags::message as tags;

use super::{Described, MessageContent, MessageError, Quote, fields::Fields, quote};

/// A place on Earth. `Debug` does not say where.
#[derive(Clone, PartialEq)]
pub struct Location {
    /// In degrees north, −90 to 90.
    pub latitude: f64,
    /// In degrees east, −180 to 180.
    pub longitude: f64,
    /// How far off it may be, in meters; zero if unknown.
    pub accuracy: u32,
    /// What is there.
    pub name: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
    /// A text with it.
    pub caption: Option<String>,
    /// Whether it moves on. Where to, only the network's apps show.
    pub live: bool,
    /// The message that it answers.
    pub quote: Option<Quote>,
}

pub(super) fn read(bytes: &[u8]) -> Result<MessageContent, MessageError> {
    use tags::location_message as numbers;
    let fields = Fields::read(bytes)?;
    let text = |number| fields.text(number);
    let place = Place {
        latitude: fields.double(numbers::DEGREES_LATITUDE),
        longitude: fields.double(numbers::DEGREES_LONGITUDE),
        live: fields.flag(numbers::IS_LIVE),
    };
    let [name, address, caption] =
        [text(numbers::NAME), text(numbers::ADDRESS), text(numbers::COMMENT)];
    let accuracy = fields.count(numbers::ACCURACY_IN_METERS);
    let quote = quote::read(fields.bytes(numbers::CONTEXT_INFO));
    Ok(place.content(Location { accuracy, name, address, caption, quote, ..nowhere() }))
}

pub(super) fn read_live(bytes: &[u8]) -> Result<MessageContent, MessageError> {
    use tags::live_location_message as numbers;
    let fields = Fields::read(bytes)?;
    let place = Place {
        latitude: fields.double(numbers::DEGREES_LATITUDE),
        longitude: fields.double(numbers::DEGREES_LONGITUDE),
        live: true,
    };
    let caption = fields.text(numbers::CAPTION);
    let accuracy = fields.count(numbers::ACCURACY_IN_METERS);
    let quote = quote::read(fields.bytes(numbers::CONTEXT_INFO));
    Ok(place.content(Location { accuracy, caption, quote, ..nowhere() }))
}

struct Place {
    latitude: Option<f64>,
    longitude: Option<f64>,
    live: bool,
}

impl Place {
    /// A location, or the words with one that is not on Earth.
    fn content(self, said: Location) -> MessageContent {
        let within = |degrees: Option<f64>, max| degrees.filter(|degrees| degrees.abs() <= max);
        let live = self.live;
        let place = within(self.latitude, 90.0).zip(within(self.longitude, 180.0));
        let Some((latitude, longitude)) = place else {
            let kind = if live { "live location" } else { "location" };
            let lines = [said.name, said.address, said.caption];
            return Described::content(kind, lines.into_iter().flatten().collect());
        };
        MessageContent::Location(Box::new(Location { latitude, longitude, live, ..said }))
    }
}

fn nowhere() -> Location {
    Location {
        latitude: 0.0,
        longitude: 0.0,
        accuracy: 0,
        name: None,
        address: None,
        caption: None,
        live: false,
        quote: None,
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Location")
            .field("live", &self.live)
            .field("quote", &self.quote)
            .finish_non_exhaustive()
    }
}
