//! Secrets and room keys that an owner asked its other devices for, and what came back.

use matrix_sdk_crypto::{
    GossipRequest, SecretInfo,
    store::{CryptoStoreError, types::SecretsInboxItem},
};
use ruma::{TransactionId, events::secret::request::SecretName};
use zeroize::Zeroizing;

use super::{
    SqlCryptoStore,
    json::{self, Plain},
};
use crate::storage::{
    database::{UnitOfWork, Verdict, Writer},
    error::Error,
};

const REQUEST: &str = "key_secret_request.request_sealed";
const SECRET: &str = "key_secret.secret_sealed";
const DIGEST: &str = "key_secret.digest";

pub(super) struct Request {
    id: String,
    about: String,
    sent: bool,
    plain: Plain,
}

impl Request {
    pub(super) fn of(request: &GossipRequest) -> Result<Self, CryptoStoreError> {
        Ok(Self {
            id: request.request_id.to_string(),
            about: request.info.as_key(),
            sent: request.sent_out,
            plain: json::write(request)?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct RequestRow {
    request_id: String,
    request_sealed: Vec<u8>,
}

pub(super) async fn save_request(
    writer: &mut Writer<'_>,
    owner: &str,
    Request { id, about, sent, plain }: &Request,
) -> Result<(), Error> {
    sqlx::query(
        "insert into key_secret_request (owner, request_id, about, sent, request_sealed)
         values ($1, $2, $3, $4, $5)
         on conflict (owner, request_id) do update
         set about = excluded.about, sent = excluded.sent,
             request_sealed = excluded.request_sealed",
    )
    .bind(owner)
    .bind(id)
    .bind(about)
    .bind(i64::from(*sent))
    .bind(writer.sealer.seal(REQUEST, &[owner, id], plain))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn save_secret(
    writer: &mut Writer<'_>,
    owner: &str,
    SecretsInboxItem { secret_name, secret }: &SecretsInboxItem,
) -> Result<(), Error> {
    let name = secret_name.as_str();
    sqlx::query(
        "insert into key_secret (owner, name, digest, secret_sealed) values ($1, $2, $3, $4)
         on conflict do nothing",
    )
    .bind(owner)
    .bind(name)
    .bind(writer.sealer.lookup(DIGEST, &[owner, name, secret]))
    .bind(writer.sealer.seal(SECRET, &[owner, name], secret.as_bytes()))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

/// Removes a request, by its id.
pub(super) struct RemoveRequest<'r> {
    pub(super) owner: &'r str,
    pub(super) id: &'r TransactionId,
}

impl UnitOfWork for RemoveRequest<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        sqlx::query("delete from key_secret_request where owner = $1 and request_id = $2")
            .bind(self.owner)
            .bind(self.id.as_str())
            .execute(&mut *writer.conn)
            .await?;
        Ok(Verdict::Keep(()))
    }
}

/// Removes all secrets of a name.
pub(super) struct RemoveSecrets<'r> {
    pub(super) owner: &'r str,
    pub(super) name: &'r SecretName,
}

impl UnitOfWork for RemoveSecrets<'_> {
    type Output = ();

    async fn run(&self, writer: &mut Writer<'_>) -> Result<Verdict<()>, Error> {
        sqlx::query("delete from key_secret where owner = $1 and name = $2")
            .bind(self.owner)
            .bind(self.name.as_str())
            .execute(&mut *writer.conn)
            .await?;
        Ok(Verdict::Keep(()))
    }
}

impl SqlCryptoStore {
    fn read_request(&self, row: &RequestRow) -> Result<GossipRequest, CryptoStoreError> {
        let RequestRow { request_id, request_sealed } = row;
        let row = [&*self.owner, request_id];
        json::read(&self.database.sealer().open(REQUEST, &row, request_sealed)?)
    }

    pub(super) async fn request(
        &self,
        id: &TransactionId,
    ) -> Result<Option<GossipRequest>, CryptoStoreError> {
        let row: Option<RequestRow> = sqlx::query_as(
            "select request_id, request_sealed from key_secret_request
             where owner = $1 and request_id = $2",
        )
        .bind(&self.owner)
        .bind(id.as_str())
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        row.map(|row| self.read_request(&row)).transpose()
    }

    pub(super) async fn request_about(
        &self,
        info: &SecretInfo,
    ) -> Result<Option<GossipRequest>, CryptoStoreError> {
        let row: Option<RequestRow> = sqlx::query_as(
            "select request_id, request_sealed from key_secret_request
             where owner = $1 and about = $2 order by request_id limit 1",
        )
        .bind(&self.owner)
        .bind(info.as_key())
        .fetch_optional(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        row.map(|row| self.read_request(&row)).transpose()
    }

    pub(super) async fn unsent_requests(&self) -> Result<Vec<GossipRequest>, CryptoStoreError> {
        let rows: Vec<RequestRow> = sqlx::query_as(
            "select request_id, request_sealed from key_secret_request
             where owner = $1 and sent = 0",
        )
        .bind(&self.owner)
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        rows.iter().map(|row| self.read_request(row)).collect()
    }

    pub(super) async fn secrets(
        &self,
        name: &SecretName,
    ) -> Result<Vec<Zeroizing<String>>, CryptoStoreError> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "select secret_sealed from key_secret where owner = $1 and name = $2",
        )
        .bind(&self.owner)
        .bind(name.as_str())
        .fetch_all(self.database.reader())
        .await
        .map_err(|error| self.database.met(error))?;
        let read = |sealed: Vec<u8>| {
            let row = [&*self.owner, name.as_str()];
            let bytes = self.database.sealer().open(SECRET, &row, &sealed)?;
            let secret =
                std::str::from_utf8(&bytes).map_err(|_| Error::Unreadable { column: SECRET })?;
            Ok(Zeroizing::new(secret.to_owned()))
        };
        rows.into_iter().map(read).collect()
    }
}
