use super::*;

fn check(text: &str, expected: Result<&str, JidError>) {
    let parsed = text.parse::<Jid>().map(|jid| jid.to_string());
    assert_eq!(parsed, expected.map(str::to_owned), "{text}");
}

#[test]
fn an_interop_jid_keeps_its_integrator() {
    let jid: Jid = "12-10501234567@interop".parse().unwrap();
    assert_eq!(jid.integrator(), Integrator::new(12));
    assert_eq!((jid.user(), jid.device()), ("10501234567", 0));
    assert_eq!(jid.local_part(), "12-10501234567");
    assert_eq!(jid.to_string(), "12-10501234567@interop");
    assert_eq!(Jid::interop(Integrator::new(12).unwrap(), 10_501_234_567), Ok(jid));
}

#[test]
fn texts_are_read_and_written() {
    check("12-10501234567:0@interop", Ok("12-10501234567@interop"));
    check("4912345@s.whatsapp.net", Ok("4912345@s.whatsapp.net"));
    check("4912345:3@s.whatsapp.net", Ok("4912345:3@s.whatsapp.net"));
    check("4912345:0@lid", Ok("4912345@lid"));
    check("123-456@g.us", Ok("123-456@g.us"));
    check("status@broadcast", Ok("status@broadcast"));
    check("s.whatsapp.net", Ok("s.whatsapp.net"));
    check("g.us", Ok("g.us"));
}

#[test]
fn what_is_no_jid_is_refused() {
    check("", Err(JidError::NoServer));
    check("interop", Err(JidError::NoServer));
    check("joe", Err(JidError::NoServer));
    check("@s.whatsapp.net", Err(JidError::User));
    check("+49123@s.whatsapp.net", Err(JidError::User));
    check("a b@g.us", Err(JidError::User));
    check("joe@", Err(JidError::Server));
    check("joe@a@b", Err(JidError::Server));
    check("105@interop", Err(JidError::Integrator));
    check("12-0105@interop", Err(JidError::User));
    check("12-@interop", Err(JidError::User));
    check("012-105@interop", Err(JidError::Integrator));
    check("12-105:1@interop", Err(JidError::Device));
    check("49123:x@lid", Err(JidError::Device));
    check("49123:65536@lid", Err(JidError::Device));
}

#[test]
fn the_limits_hold() {
    check("1-1@interop", Ok("1-1@interop"));
    check("999-1@interop", Ok("999-1@interop"));
    check("0-1@interop", Err(JidError::Integrator));
    check("1000-1@interop", Err(JidError::Integrator));
    for (user, server, limit) in
        [("12-1", "interop", MAX_DIGITS), ("1", "lid", MAX_DIGITS), ("1", "g.us", MAX_USER)]
    {
        let longest = format!("{user}{}@{server}", "5".repeat(limit - 1));
        check(&longest, Ok(&longest));
        check(&format!("{user}{}@{server}", "5".repeat(limit)), Err(JidError::User));
    }
    let longest = format!("a@{}", "b".repeat(MAX_SERVER));
    check(&longest, Ok(&longest));
    check(&format!("{longest}b"), Err(JidError::Server));
}

#[test]
fn a_known_server_has_one_spelling() {
    let disguised = Jid::new("5", Server::Other("lid".to_owned()), 0);
    assert_eq!(disguised, Err(JidError::Server));
}

#[test]
fn debug_shows_no_number() {
    let shown = |text: &str| format!("{:?}", text.parse::<Jid>().unwrap());
    assert_eq!(shown("12-10501234567@interop"), "Jid(12-…@interop)");
    assert_eq!(shown("4912345:3@s.whatsapp.net"), "Jid(…:3@s.whatsapp.net)");
    assert_eq!(shown("s.whatsapp.net"), "Jid(s.whatsapp.net)");
}
