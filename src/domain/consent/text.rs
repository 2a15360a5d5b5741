//! What a person agrees to before anything of theirs goes to Meta.

/// Raise it with every change of meaning in [`consent_text`]: it is stored with the consent.
pub const CONSENT_TEXT_VERSION: u32 = 2;

/// The text in plain words; `person` is the identifier that contacts will see.
pub fn consent_text(person: &str) -> String {
    format!(
        "Before you connect to WhatsApp, please read what it means.\n\
         \n\
         • WhatsApp contacts that you write to, and those who write to you, see you as {person}, \
         with the display name of your Matrix profile.\n\
         • They also see when you have read their messages and when you are typing, unless you \
         switch that off (`read-receipts off`, `typing off`).\n\
         • Meta is told: that identifier and name, public keys made for you, whom you write to, \
         when, what contacts see of your reading and typing, and the network address of this \
         bridge. Meta cannot read the messages.\n\
         • Messages are encrypted from your client to this bridge, and again from this bridge to \
         your contact's phone. In between, in the memory of the bridge, they are readable: whoever \
         operates this bridge could read them. They are never stored in readable form.\n\
         • The keys that speak for you on WhatsApp are kept by this bridge, sealed. `logout` \
         deletes them and ends the connection; your rooms stay with you.\n\
         • Meta requires that you are, and remain, in the European Economic Area.\n\
         • Contacts must have switched on third-party chats in WhatsApp; otherwise they cannot be \
         reached.\n\
         \n\
         If you want this, answer `agree`. Anything else leaves everything as it is."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_who_reads_what_goes_and_where_the_person_must_be() {
        let text = consent_text("@alice:example.org");
        for needle in ["@alice:example.org", "Meta", "operates", "European Economic Area", "agree"]
        {
            assert!(text.contains(needle), "{needle}");
        }
    }
}
