//! What an operator gets for what they typed.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use ruma::user_id;

use crate::domain::{
    allowance::Limits,
    limits,
    permission::{Permission, Scope},
};

use super::{
    Config, Environment, FanOut, JidForm, LogFormat, MediaPlace, Outbound, SECTIONS, example,
    registration,
};

#[derive(Default)]
struct Fixture {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<PathBuf, String>,
}

impl Environment for Fixture {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|&value| value.to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn fixture() -> Fixture {
    let files = [("/etc/causeway/token", "file-token-0123456789\n"), ("/etc/causeway/empty", "\n")];
    Fixture {
        variables: [("TOKEN", "env-token-0123456789")].into(),
        files: files.map(|(path, text)| (path.into(), text.to_owned())).into(),
    }
}

fn resolve(text: &str) -> Result<Config, Vec<String>> {
    Config::resolve(text, Path::new("/etc/causeway"), &fixture())
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// The smallest configuration that is complete.
const LEAST: &str = r#"
master_key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
[homeserver]
url = "http://127.0.0.1:8008/"
server_name = "example.org"
[appservice]
url = "http://127.0.0.1:29330"
as_token = "as-token-0123456789"
hs_token = "hs-token-0123456789"
[network]
public_url = "https://wa.example.org/"
integrator_id = 12
"#;

/// Checks the mistakes that a change of [`LEAST`] makes.
#[track_caller]
fn check(from: &str, to: &str, mistakes: &[&str]) {
    assert!(from.is_empty() || LEAST.contains(from), "nothing to change: {from}");
    let text = if from.is_empty() { format!("{LEAST}{to}") } else { LEAST.replace(from, to) };
    assert_eq!(resolve(&text).map(|_| ()).unwrap_err(), mistakes, "for {to:?}");
}

#[test]
fn the_least_configuration_has_the_documented_defaults() {
    let config = resolve(LEAST).unwrap();
    assert_eq!(config.homeserver.url.as_str(), "http://127.0.0.1:8008");
    assert_eq!(config.appservice.listen, "127.0.0.1:29330".parse().unwrap());
    assert_eq!(config.appservice.id, "whatsapp-interop");
    assert_eq!(config.appservice.bot_localpart.as_str(), "whatsappbot");
    assert_eq!(config.appservice.ghost_prefix.as_str(), "whatsapp_");
    assert_eq!(config.network.listen, "127.0.0.1:29331".parse().unwrap());
    assert_eq!(config.network.enlist_url.as_str(), "https://v.whatsapp.net/3p/interop_reg");
    assert_eq!(config.network.integrator_id.get(), 12);
    assert_eq!(config.network.phone_region, None);
    assert_eq!(config.network.root_key[..2], [0x14, 0x23]);
    assert_eq!(config.network.keepalive_s, Duration::from_secs(25));
    assert_eq!(config.token_issuer(), "https://wa.example.org");
    assert_eq!(config.profile.jid_form, JidForm::Interop);
    assert_eq!(config.profile.fan_out, FanOut::One);
    assert_eq!(config.profile.header, *b"WA\x06\x03");
    assert_eq!(config.profile.protocol_version.0, [1, 0, 3]);
    assert_eq!(config.media.store, MediaPlace::Folder("media".into()));
    assert_eq!(config.media.keep_days.duration(), Duration::from_hours(30 * 24));
    assert_eq!(config.media.max_bytes, 2 * 1024 * 1024 * 1024);
    assert_eq!(config.media.quota_bytes, 10 * 1024 * 1024 * 1024);
    assert_eq!(config.media_s3.region, "us-east-1");
    assert_eq!(config.media_s3.endpoint, None);
    assert_eq!(config.media_s3.secret_access_key, None);
    assert_eq!(config.database.url.expose(), "sqlite:causeway.db");
    assert_eq!(config.encryption.outbound, Outbound::AllDevices);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.keys.master_key.expose(), &[1; 32]);
}

#[test]
fn every_mistake_is_found_at_once_with_its_path() {
    let text = r#"
        master_key = "c2hvcnQ="
        log = "debug"
        [homeserver]
        url = "example.org"
        sever_name = "example.org"
        [appservice]
        url = 7
        listen = "localhost"
        ghost_prefix = "WhatsApp"
        hs_token = "short"
        [network]
        public_url = "https://wa.example.org/?x=1"
        integrator_id = 1000
        chat_url = "tcp://host"
        root_key = "zz"
        keepalive_s = 0
        [network.profile]
        jid_form = "pears"
        read_receipts = "yes"
        protocol_version = "1.0"
        [media]
        store = "s3://Bad Bucket"
        keep_days = 366
        max_bytes = 0
        quota_bytes = "10 GiB"
        [media.s3]
        endpoint = "s3.example.org"
        secret = "x"
        [proxy]
        x = 1
    "#;
    insta::assert_snapshot!(resolve(text).unwrap_err().join("\n"), @r#"
    master_key: must be 32 bytes in base64, for example from `openssl rand -base64 32`
    proxy: is not a key here: remove it
    homeserver.url: must be an address like "https://host.name", without user, query or fragment
    homeserver.server_name: is missing: it has no default, set it
    homeserver.sever_name: is not a key here: did you mean `server_name`?
    appservice.url: must be text in quotation marks
    appservice.listen: must be an IP address and a port like "127.0.0.1:29330"
    appservice.as_token: is missing: set `as_token`, or `as_token_file` to the path of a file that holds it, or `as_token_env` to the name of an environment variable that holds it
    appservice.hs_token: must be at least 16 letters, digits or signs, without spaces
    appservice.ghost_prefix: must be 1 to 64 of the characters a-z, 0-9 and ._=-/+
    network.public_url: must be an address like "https://host.name", without user, query or fragment
    network.integrator_id: must be a whole number from 1 to 999
    network.chat_url: must be an address like "wss://host/path" or "tcp://host:port"
    network.root_key: must be 64 hexadecimal digits
    network.keepalive_s: must be a whole number of seconds from 1 to 2592000
    network.profile.jid_form: must be one of "pair", "interop", "interop_bare"
    network.profile.protocol_version: must be three numbers like "1.0.3"
    network.profile.read_receipts: must be true or false
    media.store: must be the path of a folder, or a bucket like "s3://bucket" or "s3://bucket/prefix"
    media.keep_days: must be a whole number of days from 1 to 365
    media.max_bytes: must be a whole number, at least 1
    media.quota_bytes: must be a whole number, at least 1
    media.s3.endpoint: must be an address like "https://host.name", without user, query or fragment
    media.s3.secret: is not a key here: did you mean `secret_access_key`?
    log: must be a section: write `[log]` on a line
    "#);
}

#[test]
fn every_mistake_about_people_is_found_at_once() {
    let text = format!(
        r#"{LEAST}
        [permissions]
        "alice" = "king"
        "@alice" = "user"
        "*.example.org" = {{ level = "user", contacts = 3 }}
        "*.example.com" = {{ level = "user", contacts_a_day = 0 }}
        "*" = {{ logins = 3 }}
        policy_rooms = ["room"]
        [limits]
        messages_a_minute = 0
    "#
    );
    insta::assert_snapshot!(resolve(&text).unwrap_err().join("\n"), @r##"
    permissions."*": must be "user", "admin" or "block", or `{ level = "user", … }` with `logins`, `contacts_a_day`, `messages_a_minute` or `media_bytes_a_day`
    permissions."*.example.com": `contacts_a_day` must be a whole number, at least 1
    permissions."*.example.org": must be "user", "admin" or "block", or `{ level = "user", … }` with `logins`, `contacts_a_day`, `messages_a_minute` or `media_bytes_a_day`
    permissions."@alice": must be a Matrix id like "@alice:example.org", a server name, "*.example.org" for the servers below a domain, or "*"
    permissions."alice": must be one of "block", "user", "admin"
    permissions.policy_rooms: must be a list of rooms like ["#deny-list:example.org"]
    limits.messages_a_minute: must be a whole number, at least 1
    "##);
}

#[test]
fn a_mistake_says_what_to_do() {
    for (from, to, mistakes) in [
        (
            r#"as_token = "as-token-0123456789""#,
            "",
            "appservice.as_token: is missing: set `as_token`, or `as_token_file` to the path of a file that holds it, or `as_token_env` to the name of an environment variable that holds it",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token_file = \"token\"\nas_token_env = \"TOKEN\"",
            "appservice.as_token: is set more than once: keep one of `as_token`, `as_token_file` and `as_token_env`",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token_file = \"absent\"",
            "appservice.as_token_file: the file cannot be read: entity not found",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token_file = \"empty\"",
            "appservice.as_token_file: is empty",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token_env = \"ABSENT\"",
            "appservice.as_token_env: no such environment variable is set for this process",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token = \"hs-token-0123456789\"",
            "appservice.hs_token: must differ from `as_token`: they prove opposite sides",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token = \"as-token-0123456789\"\nbot_localpart = \"whatsapp_bot\"",
            "appservice.bot_localpart: a ghost's name must not be able to become the bot's or the registration's: choose another",
        ),
        (
            r#"as_token = "as-token-0123456789""#,
            "as_token = \"as-token-0123456789\"\nghost_prefix = \"whatsapp-\"",
            "appservice.ghost_prefix: a ghost's name must not be able to become the bot's or the registration's: choose another",
        ),
        (
            "",
            "[log]\nfilter = \"causeway=loud\"",
            "log.filter: must be levels like \"info\" or \"info,causeway::interop=debug\"",
        ),
        ("", "[databases]", "databases: is not a key here: did you mean `database`?"),
        (
            "",
            "[database]\nurl = \"mysql://x\"",
            "database.url: must begin with \"sqlite:\" and a path, or be \"postgres://user:password@host/name\"",
        ),
    ] {
        check(from, to, &[mistakes]);
    }
}

#[test]
fn a_mistake_about_the_network_says_what_to_do() {
    for (from, to, mistakes) in [
        (
            "integrator_id = 12",
            "integrator_id = 12\nphone_region = \"fr\"",
            "network.phone_region: must be the two capital letters of a country, like \"FR\"",
        ),
        (
            "integrator_id = 12",
            "integrator_id = 12\nlisten = \"127.0.0.1:29330\"",
            "network.listen: must differ from `appservice.listen`: the network must not reach the homeserver's side",
        ),
        (
            "integrator_id = 12",
            "integrator_id = 12\nreconnect_min_s = 9\nreconnect_max_s = 8",
            "network.reconnect_max_s: must not be shorter than `reconnect_min_s`",
        ),
        (
            "integrator_id = 12",
            "integrator_id = 12\nreconnect_max_s = 86401",
            "network.reconnect_max_s: must be at most 86400, a day: the network forgets who stays away",
        ),
    ] {
        check(from, to, &[mistakes]);
    }
}

#[test]
fn a_mistake_about_media_says_what_to_do() {
    for (to, mistake) in [
        (
            "[media]\nmax_bytes = 100\nquota_bytes = 99",
            "media.quota_bytes: must not be less than `max_bytes`: no file of that size could ever be hosted",
        ),
        (
            "[media]\nstore = \"s3://media\"\n[media.s3]\nsecret_access_key_env = \"TOKEN\"",
            "media.s3.access_key_id: is missing: `media.store` is a bucket, set the key that may write to it",
        ),
        (
            "[media]\nstore = \"s3://media\"\n[media.s3]\naccess_key_id = \"id\"",
            "media.s3.secret_access_key: is missing: `media.store` is a bucket, set the key that may write to it",
        ),
        (
            "[media.s3]\nendpoint = \"https://s3.example.org\"",
            "media.s3.endpoint: has no use while `media.store` is a folder: make that \"s3://bucket\", or remove this",
        ),
        (
            "[media.s3]\nsecret_access_key = \"a\"\nsecret_access_key_env = \"TOKEN\"",
            "media.s3.secret_access_key: is set more than once: keep one of `secret_access_key`, `secret_access_key_file` and `secret_access_key_env`",
        ),
    ] {
        check("", to, &[mistake]);
    }
}

#[test]
fn a_syntax_error_names_its_place_and_shows_no_value() {
    let mistakes = resolve("master_key = \"hush\"\n[homeserver\nurl = \"hush\"").unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].starts_with("line 2, column "), "{mistakes:?}");
    assert!(!mistakes[0].contains("hush"), "{mistakes:?}");
}

#[test]
fn a_missing_file_is_named() {
    let mistakes = Config::load(Path::new("absent.toml"), &fixture()).unwrap_err();
    assert_eq!(mistakes.to_string(), "cannot read absent.toml: entity not found");
}

#[test]
fn a_secret_comes_from_a_value_a_file_or_the_environment() {
    let value = r#"as_token = "as-token-0123456789""#;
    for (setting, secret) in [
        (value, "as-token-0123456789"),
        ("as_token_file = \"token\"", "file-token-0123456789"),
        ("as_token_file = \"/etc/causeway/token\"", "file-token-0123456789"),
        ("as_token_env = \"TOKEN\"", "env-token-0123456789"),
    ] {
        let config = resolve(&LEAST.replace(value, setting)).unwrap();
        assert_eq!(config.appservice.as_token.expose(), secret);
    }
}

#[test]
fn debug_shows_no_secret() {
    let text = format!(
        "{LEAST}[database]\nurl = \"postgres://bridge:hush-database@host/name\"
        [media]\nstore = \"s3://media\"
        [media.s3]\naccess_key_id = \"id\"\nsecret_access_key = \"hush-key\""
    );
    let debug = format!("{:?}", resolve(&text).unwrap());
    for secret in ["token-0123456789", "hush", "[1, 1, 1", "AQEB"] {
        assert!(!debug.contains(secret), "{secret} in {debug}");
    }
}

#[test]
fn a_store_is_a_folder_or_a_bucket() {
    let store = |store: &str| {
        let keys = if store.starts_with("s3:") {
            "[media.s3]\naccess_key_id = \"id\"\nsecret_access_key_file = \"token\""
        } else {
            ""
        };
        let text = format!("{LEAST}[media]\nstore = \"{store}\"\n{keys}");
        resolve(&text).map(|config| (config.media.store, config.media_s3))
    };
    for path in ["media", "/var/lib/causeway/media", "../s3"] {
        assert_eq!(store(path).unwrap().0, MediaPlace::Folder(path.into()));
    }
    for (url, name, prefix) in [
        ("s3://abc", "abc", ""),
        ("s3://a-b.c/", "a-b.c", ""),
        ("s3://media/causeway/one/", "media", "causeway/one"),
    ] {
        let (place, s3) = store(url).unwrap();
        assert_eq!(place, MediaPlace::Bucket { name: name.to_owned(), prefix: prefix.to_owned() });
        assert_eq!(s3.secret_access_key.unwrap().expose().as_str(), "file-token-0123456789");
    }
    let longest = "a".repeat(63);
    assert!(store(&format!("s3://{longest}")).is_ok());
    for wrong in [
        "",
        "s3://",
        "s3://ab",
        &format!("s3://{longest}a"),
        "s3://media/a b",
        "s3://media/../b",
        "s3://media/a//b",
        "file:///media",
        "https://s3.example.org/media",
    ] {
        let mistakes = store(wrong).unwrap_err();
        assert!(mistakes[0].starts_with("media.store: must be the path"), "{mistakes:?}");
    }
}

#[test]
fn the_most_exact_permission_counts() {
    let levels = |text: &str| {
        let permissions = resolve(&format!("{LEAST}{text}")).unwrap().permissions;
        [user_id!("@alice:example.org"), user_id!("@bob:example.org"), user_id!("@eve:evil.org")]
            .map(|user| permissions.of(user))
    };
    assert_eq!(levels(""), [Permission::User, Permission::User, Permission::Block]);
    assert_eq!(levels("[permissions]\n\"*\" = \"user\""), [Permission::User; 3]);
    assert_eq!(
        levels(
            "[permissions]\n\"@alice:example.org\" = \"admin\"\n\"example.org\" = \"block\"\n\"*\" = \"user\""
        ),
        [Permission::Admin, Permission::Block, Permission::User]
    );
}

#[test]
fn limits_are_of_everybody_or_of_an_entry() {
    let alice = user_id!("@alice:example.org");
    let limits = |text: &str| resolve(&format!("{LEAST}{text}")).unwrap().permissions;
    let unsaid = limits("");
    assert_eq!(unsaid.limits(alice), Limits::default());
    assert_eq!(unsaid.logins, limits::LOGINS_MAX);
    let text = "[permissions]\n\"*.org\" = { level = \"user\", logins = 7, contacts_a_day = 3 }\n\
        [limits]\nlogins = 9\ncontacts_a_day = 5\nmessages_a_minute = 6";
    let said = limits(text);
    let expected = Limits { contacts_a_day: 3, messages_a_minute: 6, ..Limits::default() };
    assert_eq!(said.limits(alice), expected);
    assert_eq!(said.limits(user_id!("@bob:example.com")).contacts_a_day, 5);
    assert_eq!(said.logins, 9);
    let below = &said.rules[&Scope::Below("org".to_owned())];
    assert_eq!((below.permission, below.logins), (Permission::User, Some(7)));
}

#[test]
fn policy_rooms_are_no_entry_of_a_person() {
    let text = format!("{LEAST}[permissions]\npolicy_rooms = [\"#a:b.c\", \"!d:b.c\"]");
    let config = resolve(&text).unwrap();
    assert_eq!(config.policy_rooms.len(), 2);
    assert_eq!(config.permissions.of(user_id!("@alice:example.org")), Permission::User);
}

#[test]
fn a_fresh_example_is_complete_and_no_secret_comes_twice() {
    let mut next = 0_u8;
    let text = Config::example(&mut |bytes| {
        next += 1;
        bytes.fill(next);
    });
    let config = resolve(&text).unwrap();
    assert_eq!(config.keys.master_key.expose(), &[1; 32]);
    assert_eq!(next, 3);
}

/// Beginnings of lines that the example shows and that are no defaults.
const WITHOUT_DEFAULT: [&str; 7] = [
    "phone_region",
    "token_issuer",
    "endpoint",
    "access_key_id",
    "secret_access_key",
    "shared_secret",
    "\"",
];

#[test]
fn every_default_in_the_example_is_the_one_that_holds() {
    let text = Config::example(&mut counting());
    // A line with a default is the mark and the name without a space; prose has one.
    let with_defaults: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|it| !it.starts_with(' ')).unwrap_or(line))
        .filter(|line| !WITHOUT_DEFAULT.iter().any(|name| line.starts_with(name)))
        .flat_map(|line| [line, "\n"])
        .collect();
    let [short, long] = [text, with_defaults].map(|text| resolve(&text).unwrap());
    assert_eq!(format!("{short:?}"), format!("{long:?}"));
}

fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0_u8;
    move |bytes| {
        next += 1;
        bytes.fill(next);
    }
}

#[test]
fn the_committed_example_is_the_generated_one_without_secrets() {
    let text = example::write(&SECTIONS, &mut || example::PLACEHOLDER.to_owned());
    check_committed("config.example.toml", &text);
    let mistakes = resolve(&text).unwrap_err();
    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    assert!(mistakes.iter().all(|mistake| mistake.contains("still holds the placeholder")));
}

#[test]
fn the_committed_registration_is_the_one_of_the_example() {
    let mut names = ["AS_TOKEN_OF_THE_CONFIGURATION", "HS_TOKEN_OF_THE_CONFIGURATION"].into_iter();
    let mut is_first = true;
    let text = example::write(&SECTIONS, &mut || {
        // The master key comes first and is no token.
        let key =
            std::mem::take(&mut is_first).then_some("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        key.or_else(|| names.next()).unwrap().to_owned()
    });
    check_committed("registration.yaml", &registration(&resolve(&text).unwrap()));
}

#[test]
fn a_homeserver_understands_the_registration() {
    let text = LEAST.replace("\"example.org\"", "\"example.org:8448\"");
    let yaml = registration(&resolve(&text).unwrap());
    let read: ruma::api::appservice::Registration = serde_yaml_ng::from_str(&yaml).unwrap();
    assert_eq!(read.url.as_deref(), Some("http://127.0.0.1:29330"));
    assert_eq!(read.sender_localpart, "whatsapp-interop");
    assert_eq!(
        (read.as_token.as_str(), read.hs_token.as_str()),
        ("as-token-0123456789", "hs-token-0123456789")
    );
    assert_eq!(read.rate_limited, Some(false));
    let users: Vec<_> =
        read.namespaces.users.iter().map(|it| (it.exclusive, it.regex.as_str())).collect();
    assert_eq!(
        users,
        [(true, r"^@whatsappbot:example\.org:8448$"), (true, r"^@whatsapp_.+:example\.org:8448$")]
    );
    assert_eq!(read.namespaces.aliases[0].regex, r"^#whatsapp_.+:example\.org:8448$");
    for flag in [
        "receive_ephemeral",
        "de.sorunome.msc2409.push_ephemeral",
        "org.matrix.msc3202",
        "io.element.msc4190",
    ] {
        assert!(yaml.contains(&format!("\n{flag}: true\n")), "{flag} in {yaml}");
    }
}

/// Compares with a file of the repository; `CAUSEWAY_BLESS=1` writes it instead.
#[track_caller]
fn check_committed(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("CAUSEWAY_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        committed, text,
        "{name} is out of date: run the tests with CAUSEWAY_BLESS=1 and commit it"
    );
}
