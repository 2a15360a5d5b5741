//! Logins and their secret keys. What belongs to a login is removed with it by the schema.

use ruma::{OwnedUserId, UserId};
use zeroize::Zeroizing;

use super::{
    database::{Database, Writer},
    error::Error,
    seal::Sealer,
};
use crate::{
    domain::{
        bridged::{Login, LoginState},
        ids::{LoginId, RemoteUser},
    },
    port::network::LoginKeys,
    signal::{OurIdentity, SignedPreKey},
};

const NETWORK_ID: &str = "login.network_id_sealed";
const KEYS: &str = "login.keys_sealed";

/// First byte of the sealed keys.
const KEYS_VERSION: u8 = 1;

#[derive(sqlx::FromRow)]
struct LoginRow {
    id: String,
    person: String,
    network_id_sealed: Option<Vec<u8>>,
    state: String,
}

impl LoginRow {
    fn open(self, sealer: &Sealer) -> Result<Login, Error> {
        let Self { id, person, network_id_sealed, state } = self;
        let network_id = network_id_sealed
            .map(|sealed| {
                let bytes = sealer.open(NETWORK_ID, &[&id], &sealed)?;
                String::from_utf8(bytes.to_vec())
                    .map(RemoteUser)
                    .map_err(|_| Error::Unreadable { column: NETWORK_ID })
            })
            .transpose()?;
        let person = OwnedUserId::try_from(person)
            .map_err(|_| Error::Unreadable { column: "login.person" })?;
        Ok(Login { id: LoginId(id), person, network_id, state: state_from_text(&state)? })
    }
}

pub(super) async fn add(
    writer: &mut Writer<'_>,
    login: &Login,
    keys: &LoginKeys,
) -> Result<(), Error> {
    let Login { id: LoginId(id), person, network_id, state } = login;
    let sealer = writer.sealer;
    let network_id = network_id
        .as_ref()
        .map(|network_id| sealer.seal(NETWORK_ID, &[id], network_id.0.as_bytes()));
    sqlx::query(
        "insert into login (id, person, network_id_sealed, state, keys_sealed)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(person.as_str())
    .bind(network_id)
    .bind(state_to_text(*state))
    .bind(sealer.seal(KEYS, &[id], &keys_to_bytes(keys)))
    .execute(&mut *writer.conn)
    .await?;
    Ok(())
}

pub(super) async fn enlist(
    writer: &mut Writer<'_>,
    LoginId(id): &LoginId,
    network_id: &RemoteUser,
) -> Result<(), Error> {
    let sealed = writer.sealer.seal(NETWORK_ID, &[id], network_id.0.as_bytes());
    sqlx::query("update login set network_id_sealed = $1 where id = $2")
        .bind(sealed)
        .bind(id)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn set_state(
    writer: &mut Writer<'_>,
    LoginId(id): &LoginId,
    state: LoginState,
) -> Result<(), Error> {
    if state == LoginState::None {
        return remove(writer, &LoginId(id.clone())).await;
    }
    sqlx::query("update login set state = $1 where id = $2")
        .bind(state_to_text(state))
        .bind(id)
        .execute(&mut *writer.conn)
        .await?;
    Ok(())
}

pub(super) async fn remove(writer: &mut Writer<'_>, LoginId(id): &LoginId) -> Result<(), Error> {
    sqlx::query("delete from login where id = $1").bind(id).execute(&mut *writer.conn).await?;
    Ok(())
}

pub(super) async fn all(database: &Database) -> Result<Vec<Login>, Error> {
    let rows: Vec<LoginRow> =
        sqlx::query_as("select id, person, network_id_sealed, state from login order by id")
            .fetch_all(database.reader())
            .await?;
    rows.into_iter().map(|row| row.open(database.sealer())).collect()
}

pub(super) async fn find(
    database: &Database,
    LoginId(id): &LoginId,
) -> Result<Option<Login>, Error> {
    let row: Option<LoginRow> =
        sqlx::query_as("select id, person, network_id_sealed, state from login where id = $1")
            .bind(id)
            .fetch_optional(database.reader())
            .await?;
    row.map(|row| row.open(database.sealer())).transpose()
}

pub(super) async fn of(database: &Database, person: &UserId) -> Result<Option<Login>, Error> {
    let row: Option<LoginRow> =
        sqlx::query_as("select id, person, network_id_sealed, state from login where person = $1")
            .bind(person.as_str())
            .fetch_optional(database.reader())
            .await?;
    row.map(|row| row.open(database.sealer())).transpose()
}

pub(super) async fn keys(
    database: &Database,
    LoginId(id): &LoginId,
) -> Result<Option<LoginKeys>, Error> {
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("select keys_sealed from login where id = $1")
        .bind(id)
        .fetch_optional(database.reader())
        .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let bytes = database.sealer().open(KEYS, &[id], &sealed)?;
    keys_from_bytes(&bytes).map(Some).ok_or(Error::Unreadable { column: KEYS })
}

fn state_to_text(state: LoginState) -> &'static str {
    match state {
        LoginState::None => "none",
        LoginState::Enlisting => "enlisting",
        LoginState::Active => "active",
        LoginState::Lapsed => "lapsed",
        LoginState::Leaving => "leaving",
    }
}

fn state_from_text(text: &str) -> Result<LoginState, Error> {
    match text {
        "enlisting" => Ok(LoginState::Enlisting),
        "active" => Ok(LoginState::Active),
        "lapsed" => Ok(LoginState::Lapsed),
        "leaving" => Ok(LoginState::Leaving),
        _ => Err(Error::Unreadable { column: "login.state" }),
    }
}

/// The version, the Noise key, the length of the identity in one byte, the identity, and the signed
/// prekey to the end.
fn keys_to_bytes(keys: &LoginKeys) -> Zeroizing<Vec<u8>> {
    let LoginKeys { noise, identity, signed_prekey } = keys;
    let (identity, signed_prekey) = (identity.to_bytes(), signed_prekey.to_bytes());
    let identity_len = u8::try_from(identity.len()).expect("an identity is stored in 37 bytes");
    // One allocation of the right size: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(34 + identity.len() + signed_prekey.len()));
    bytes.push(KEYS_VERSION);
    bytes.extend_from_slice(noise);
    bytes.push(identity_len);
    bytes.extend_from_slice(&identity);
    bytes.extend_from_slice(&signed_prekey);
    bytes
}

fn keys_from_bytes(bytes: &[u8]) -> Option<LoginKeys> {
    let (&version, rest) = bytes.split_first()?;
    if version != KEYS_VERSION {
        return None;
    }
    let (noise, rest) = rest.split_first_chunk::<32>()?;
    let (&identity_len, rest) = rest.split_first()?;
    let (identity, signed_prekey) = rest.split_at_checked(identity_len.into())?;
    Some(LoginKeys {
        noise: *noise,
        identity: OurIdentity::from_bytes(identity).ok()?,
        signed_prekey: SignedPreKey::from_bytes(signed_prekey).ok()?,
    })
}
