//! Olm sessions, by the other device's key, and which Olm messages were decrypted already.

use matrix_sdk_crypto::{
    Session,
    olm::{OlmMessageHash, PickledSession},
    store::CryptoStoreError,
};

use super::{
    SqlCryptoStore,
    json::{self, Plain},
};
use crate::storage::{database::Writer, error::Error};

const SESSION: &str = "key_olm_session.session_sealed";

pub(super) struct OlmSession {
    sender_key: String,
    session_id: String,
    plain: Plain,
}

impl OlmSession {
    pub(super) async fn of(session: &Session) -> Result<Self, CryptoStoreError> {
        let pickle = session.pickle().await;
        Ok(Self {
            sender_key: pickle.sender_key.to_base64(),
            session_id: session.session_id().to_owned(),
            plain: json::write(&pickle)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    session_id: String,
    session_sealed: Vec<u8>,
}

pub(super) async fn save(
    writer: &mut Writer<'_>,
    owner: &str,
    OlmSession { sender_key, session_id, plain }: &OlmSession,
) -> Result<(), Error> {
    sqlx::query(
        "insert into key_olm_session (owner, sender_key, session_id, session_sealed)
         values ($1, $2, $3, $4)
         on conflict (owner, sender_key, session_id) do update
         set session_sealed = excluded.session_sealed",
    )
    .bind(owner)
    .bind(sender_key)
    .bind(session_id)
    .bind(writer.sealer.seal(SESSION, &[owner, sender_key, session_id], plain))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn remember_message(
    writer: &mut Writer<'_>,
    owner: &str,
    OlmMessageHash { sender_key, hash }: &OlmMessageHash,
) -> Result<(), Error> {
    sqlx::query(
        "insert into key_olm_message (owner, sender_key, hash) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(owner)
    .bind(sender_key)
    .bind(hash)
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

impl SqlCryptoStore {
    pub(super) async fn olm_sessions(
        &self,
        sender_key: &str,
    ) -> Result<Option<Vec<Session>>, CryptoStoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select session_id, session_sealed from key_olm_session
             where owner = $1 and sender_key = $2 order by session_id",
        )
        .bind(&self.owner)
        .bind(sender_key)
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        if rows.is_empty() {
            return Ok(None);
        }
        let device_keys = self.own_device().await?.as_device_keys().clone();
        let mut sessions = Vec::with_capacity(rows.len());
        for Row { session_id, session_sealed } in rows {
            let row = [&*self.owner, sender_key, &session_id];
            let bytes = self.database.sealer().open(SESSION, &row, &session_sealed)?;
            let pickle: PickledSession = json::read(&bytes)?;
            let session = Session::from_pickle(device_keys.clone(), pickle)
                .map_err(|_| CryptoStoreError::UnpicklingError)?;
            sessions.push(session);
        }
        Ok(Some(sessions))
    }

    pub(super) async fn knows_message(
        &self,
        OlmMessageHash { sender_key, hash }: &OlmMessageHash,
    ) -> Result<bool, CryptoStoreError> {
        let known: Option<String> = sqlx::query_scalar(
            "select hash from key_olm_message where owner = $1 and sender_key = $2 and hash = $3",
        )
        .bind(&self.owner)
        .bind(sender_key)
        .bind(hash)
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        Ok(known.is_some())
    }
}
