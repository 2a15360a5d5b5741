//! The traits to the outside. The runtime holds these and nothing else: no token, no socket, no
//! SQL, so that it can later run somewhere else than its adapters.
//!
//! Rules for every method: it may wait for I/O, never for another lane; absent is `Ok(None)`; an
//! error says whether trying again can help.

pub mod ambient;
pub mod failure;
pub mod homeserver;
pub mod media;
pub mod network;
pub mod openid;
pub mod room_cipher;
pub mod storage;

pub use ambient::{Clock, Entropy};
pub use failure::{Failure, Retry};
pub use homeserver::Homeserver;
pub use media::MediaStore;
pub use network::{InteropNetwork, NetworkLink};
pub use openid::OpenId;
pub use room_cipher::RoomCipher;
pub use storage::{KeyStores, Storage};
