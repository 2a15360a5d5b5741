//! What an owner keeps of a room: its own Megolm session, settings, withheld keys, key bundles.

use matrix_sdk_crypto::{
    olm::{OutboundGroupSession, PickledOutboundGroupSession},
    store::{
        CryptoStoreError,
        types::{
            RoomKeyWithheldEntry, RoomPendingKeyBundleDetails, RoomSettings,
            StoredRoomKeyBundleData,
        },
    },
};
use ruma::{RoomId, UserId};
use serde::de::DeserializeOwned;

use super::{
    SqlCryptoStore,
    json::{self, Plain},
};
use crate::storage::{database::Writer, error::Error};

const VALUE: &str = "key_room_value.value_sealed";

/// What a value of a room is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    OutboundSession,
    Settings,
    /// By session id.
    Withheld,
    /// By sender.
    KeyBundle,
    PendingKeyBundle,
    /// That it is there says it all.
    KeysDownloaded,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::OutboundSession => "outbound_session",
            Self::Settings => "settings",
            Self::Withheld => "withheld",
            Self::KeyBundle => "key_bundle",
            Self::PendingKeyBundle => "pending_key_bundle",
            Self::KeysDownloaded => "keys_downloaded",
        }
    }
}

/// A value, or that there is none any more.
pub(super) struct RoomValue {
    kind: Kind,
    room: String,
    item: String,
    plain: Option<Plain>,
}

impl RoomValue {
    pub(super) fn json(
        kind: Kind,
        room: &RoomId,
        item: &str,
        value: &impl serde::Serialize,
    ) -> Result<Self, CryptoStoreError> {
        let plain = Some(json::write(value)?);
        Ok(Self { kind, room: room.to_string(), item: item.to_owned(), plain })
    }

    pub(super) fn gone(kind: Kind, room: &RoomId) -> Self {
        Self { kind, room: room.to_string(), item: String::new(), plain: None }
    }

    pub(super) async fn outbound_session(
        session: &OutboundGroupSession,
    ) -> Result<Self, CryptoStoreError> {
        Self::json(Kind::OutboundSession, session.room_id(), "", &session.pickle().await)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    room: String,
    item: String,
    value_sealed: Vec<u8>,
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    owner: &str,
    RoomValue { kind, room, item, plain }: &RoomValue,
) -> Result<(), Error> {
    let kind = kind.as_str();
    let query = match plain {
        Some(plain) => sqlx::query(
            "insert into key_room_value (owner, kind, room, item, value_sealed)
             values ($1, $2, $3, $4, $5)
             on conflict (owner, kind, room, item) do update
             set value_sealed = excluded.value_sealed",
        )
        .bind(owner)
        .bind(kind)
        .bind(room)
        .bind(item)
        .bind(writer.sealer.seal(VALUE, &[owner, kind, room, item], plain)),
        None => sqlx::query(
            "delete from key_room_value
             where owner = $1 and kind = $2 and room = $3 and item = $4",
        )
        .bind(owner)
        .bind(kind)
        .bind(room)
        .bind(item),
    };
    query.execute(&mut *writer.conn).await?;
    Ok(())
}

impl SqlCryptoStore {
    fn read_room_value<T: DeserializeOwned>(
        &self,
        kind: Kind,
        row: Row,
    ) -> Result<T, CryptoStoreError> {
        let Row { room, item, value_sealed } = row;
        let row = [&*self.owner, kind.as_str(), &*room, &*item];
        json::read(&self.database.sealer().open(VALUE, &row, &value_sealed)?)
    }

    async fn room_value<T: DeserializeOwned>(
        &self,
        kind: Kind,
        room: &RoomId,
        item: &str,
    ) -> Result<Option<T>, CryptoStoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select room, item, value_sealed from key_room_value
             where owner = $1 and kind = $2 and room = $3 and item = $4",
        )
        .bind(&self.owner)
        .bind(kind.as_str())
        .bind(room.as_str())
        .bind(item)
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        row.map(|row| self.read_room_value(kind, row)).transpose()
    }

    pub(super) async fn outbound_session(
        &self,
        room: &RoomId,
    ) -> Result<Option<OutboundGroupSession>, CryptoStoreError> {
        let pickle: Option<PickledOutboundGroupSession> =
            self.room_value(Kind::OutboundSession, room, "").await?;
        let Some(pickle) = pickle else { return Ok(None) };
        let account = self.static_account().ok_or(CryptoStoreError::AccountUnset)?;
        OutboundGroupSession::from_pickle(account.device_id, account.identity_keys, pickle)
            .map(Some)
            .map_err(CryptoStoreError::from)
    }

    pub(super) async fn room_settings(
        &self,
        room: &RoomId,
    ) -> Result<Option<RoomSettings>, CryptoStoreError> {
        self.room_value(Kind::Settings, room, "").await
    }

    pub(super) async fn withheld(
        &self,
        room: &RoomId,
        session_id: &str,
    ) -> Result<Option<RoomKeyWithheldEntry>, CryptoStoreError> {
        self.room_value(Kind::Withheld, room, session_id).await
    }

    pub(super) async fn withheld_of_room(
        &self,
        room: &RoomId,
    ) -> Result<Vec<RoomKeyWithheldEntry>, CryptoStoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select room, item, value_sealed from key_room_value
             where owner = $1 and kind = $2 and room = $3",
        )
        .bind(&self.owner)
        .bind(Kind::Withheld.as_str())
        .bind(room.as_str())
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        rows.into_iter().map(|row| self.read_room_value(Kind::Withheld, row)).collect()
    }

    pub(super) async fn key_bundle(
        &self,
        room: &RoomId,
        sender: &UserId,
    ) -> Result<Option<StoredRoomKeyBundleData>, CryptoStoreError> {
        self.room_value(Kind::KeyBundle, room, sender.as_str()).await
    }

    pub(super) async fn pending_key_bundle(
        &self,
        room: &RoomId,
    ) -> Result<Option<RoomPendingKeyBundleDetails>, CryptoStoreError> {
        self.room_value(Kind::PendingKeyBundle, room, "").await
    }

    pub(super) async fn pending_key_bundles(
        &self,
    ) -> Result<Vec<RoomPendingKeyBundleDetails>, CryptoStoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select room, item, value_sealed from key_room_value where owner = $1 and kind = $2",
        )
        .bind(&self.owner)
        .bind(Kind::PendingKeyBundle.as_str())
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        rows.into_iter().map(|row| self.read_room_value(Kind::PendingKeyBundle, row)).collect()
    }

    pub(super) async fn keys_downloaded(&self, room: &RoomId) -> Result<bool, CryptoStoreError> {
        let there: Option<bool> = self.room_value(Kind::KeysDownloaded, room, "").await?;
        Ok(there.is_some())
    }
}
