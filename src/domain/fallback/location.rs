//! Places: a link to a map for the network, which has none for partners (network facts 2.5), and
//! `m.location` for Matrix.

use causeway_wire::message::Location;
use serde_json::{Value, json};

use super::{extensible, line};

/// Stands before a place in a text.
const PIN: &str = "\u{1f4cd}";

/// The text for an `m.location`; `None` if it names no place on Earth.
pub(in crate::domain) fn to_network(content: &Value) -> Option<String> {
    let location = [&content["org.matrix.msc3488.location"], &content["m.location"]]
        .into_iter()
        .find(|location| location.is_object())
        .unwrap_or(&Value::Null);
    let uri = [&content["geo_uri"], &location["uri"]].into_iter().find_map(Value::as_str)?;
    let (latitude, longitude) = parse(uri)?;
    let described = location["description"].as_str().filter(|text| !text.trim().is_empty());
    let name = described.or_else(|| extensible::text(content)).map(line).unwrap_or_default();
    // What clients write into `body` for others that show no map repeats the address.
    let name = if name.contains("geo:") { "" } else { &name };
    let (latitude, longitude) = (degrees(latitude), degrees(longitude));
    let map = format!(
        "https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}"
    );
    Some(format!("{PIN} {name}\n{map}").replace(" \n", "\n"))
}

/// Latitude and longitude of a `geo:` address (RFC 5870), on the only Earth that people send.
fn parse(uri: &str) -> Option<(f64, f64)> {
    let place = uri.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("geo:"))?;
    let place = uri.strip_prefix(place)?.split(';').next()?;
    let mut coordinates = place.split(',').map(|number| number.trim().parse::<f64>());
    let latitude = coordinates.next()?.ok().filter(|degrees| degrees.abs() <= 90.0)?;
    let longitude = coordinates.next()?.ok().filter(|degrees| degrees.abs() <= 180.0)?;
    Some((latitude, longitude))
}

/// Seven places are a centimeter.
fn degrees(degrees: f64) -> String {
    let text = format!("{degrees:.7}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The content of an `m.location`, with its extensible form (MSC3488).
pub(in crate::domain) fn to_matrix(location: &Location) -> Value {
    let Location { latitude, longitude, accuracy, live, .. } = location;
    let mut uri = format!("geo:{},{}", degrees(*latitude), degrees(*longitude));
    if *accuracy > 0 {
        uri = format!("{uri};u={accuracy}");
    }
    let words = [&location.name, &location.address, &location.caption];
    let words: Vec<_> = words.into_iter().flatten().map(|words| line(words)).collect();
    let mut description = words.join(", ");
    if description.is_empty() {
        description.push_str(if *live { "Live location" } else { "Location" });
    }
    if *live {
        description.push_str(" (it moves on, which only WhatsApp shows)");
    }
    let asset = json!({"type": if *live { "m.self" } else { "m.pin" }});
    json!({
        "msgtype": "m.location",
        "body": format!("{PIN} {description}\n{uri}"),
        "geo_uri": uri,
        "org.matrix.msc3488.location": {"uri": uri, "description": description},
        "org.matrix.msc3488.asset": asset,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_found_in_its_address() {
        for (uri, expected) in [
            ("geo:52.5,13.4", Some((52.5, 13.4))),
            ("GEO:-52.5,-13.4,30;u=12", Some((-52.5, -13.4))),
            ("geo:90,180", Some((90.0, 180.0))),
            ("geo:90.1,0", None),
            ("geo:0,180.1", None),
            ("geo:nan,0", None),
            ("geo:1", None),
            ("52.5,13.4", None),
            ("ge", None),
            ("über:1,2", None),
        ] {
            assert_eq!(parse(uri), expected, "{uri}");
        }
    }

    #[test]
    fn degrees_are_short() {
        for (number, expected) in
            [(0.0, "0"), (-0.0, "0"), (10.0, "10"), (52.123_456_789, "52.1234568"), (1e-9, "0")]
        {
            assert_eq!(degrees(number), expected);
        }
    }

    #[test]
    fn what_repeats_the_address_is_left_out() {
        let content = json!({"msgtype": "m.location", "geo_uri": "geo:1,2",
            "body": "Location was shared at geo:1,2 as of today"});
        let expected = "\u{1f4cd}\nhttps://www.openstreetmap.org/?mlat=1&mlon=2#map=16/1/2";
        assert_eq!(to_network(&content).as_deref(), Some(expected));
    }

    proptest! {
        #[test]
        fn any_place_survives(latitude in -90.0..=90.0_f64, longitude in -180.0..=180.0_f64) {
            let location = Location {
                latitude, longitude, accuracy: 3, name: None, address: None, caption: None,
                live: false, quote: None,
            };
            let uri = to_matrix(&location)["geo_uri"].as_str().unwrap().to_owned();
            let (north, east) = parse(&uri).unwrap();
            prop_assert!((north - latitude).abs() < 1e-6 && (east - longitude).abs() < 1e-6);
        }

        #[test]
        fn any_address_is_read_without_harm(uri: String) {
            to_network(&json!({"geo_uri": uri}));
        }
    }
}
