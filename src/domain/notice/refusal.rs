//! What a person reads who may not use the bridge: who decided that, and whom to ask.

/// Why somebody may not use the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No entry of the configuration allows it, or one forbids it.
    ByOperator,
    /// A policy room that the operator follows bans the person or their homeserver.
    ByDenyList { reason: Option<String> },
}

impl Refusal {
    pub fn text(&self) -> String {
        match self {
            Self::ByOperator => {
                "The operator of this bridge has not allowed you to use it. Please \
                ask them to add you to `permissions` in its configuration."
                    .to_owned()
            }
            Self::ByDenyList { reason } => {
                let reason = reason.as_ref().map(|reason| format!(" (\"{reason}\")"));
                format!(
                    "You cannot use this bridge, because a deny list that it follows names you or \
                     your homeserver{}. If that is a mistake, please ask the operator of this bridge.",
                    reason.unwrap_or_default()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_quoted_if_there_is_one() {
        let text =
            |reason: Option<&str>| Refusal::ByDenyList { reason: reason.map(str::to_owned) }.text();
        assert!(text(Some("spam")).contains("homeserver (\"spam\"). If"));
        assert!(text(None).contains("homeserver. If"));
    }
}
