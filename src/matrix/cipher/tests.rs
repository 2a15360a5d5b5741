//! The machines against a homeserver that answers what the test says.

mod stores;
