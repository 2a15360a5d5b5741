//! Where the words of each kind are, by the field numbers of the public schema.

use waproto::tags::{self as all, message as tags};

/// From field to field down to a text.
type Paths = &'static [&'static [u32]];

/// Where the words of one kind are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Words {
    /// The field of the context.
    pub(super) context: u32,
    /// The field of the time, in seconds.
    pub(super) at: u32,
    /// From field to field down to a text.
    pub(super) paths: Paths,
}

const NO_WORDS: Words = Words { context: 0, at: 0, paths: &[] };

/// What a person would call a kind that has words, and where they are.
pub(in super::super) fn words(field: u32) -> Option<(&'static str, Words)> {
    let words = |context, paths| Words { context, paths, ..NO_WORDS };
    Some(match field {
        tags::EVENT_MESSAGE => {
            use tags::event_message as event;
            let paths: Paths = &[
                &[event::NAME],
                &[event::DESCRIPTION],
                &[event::LOCATION, tags::location_message::NAME],
                &[event::LOCATION, tags::location_message::ADDRESS],
                &[event::JOIN_LINK],
            ];
            ("event", Words { context: event::CONTEXT_INFO, at: event::START_TIME, paths })
        }
        tags::EVENT_INVITE_MESSAGE => {
            use tags::event_invite_message as event;
            let paths: Paths = &[&[event::EVENT_TITLE], &[event::CAPTION], &[event::CALL_LINK]];
            ("event", Words { context: event::CONTEXT_INFO, at: event::START_TIME, paths })
        }
        tags::GROUP_INVITE_MESSAGE => {
            use tags::group_invite_message as invite;
            (
                "group invite",
                words(invite::CONTEXT_INFO, &[&[invite::GROUP_NAME], &[invite::CAPTION]]),
            )
        }
        tags::STICKER_PACK_MESSAGE => {
            use tags::sticker_pack_message as pack;
            let paths: Paths = &[&[pack::NAME], &[pack::PUBLISHER], &[pack::CAPTION]];
            ("sticker pack", words(pack::CONTEXT_INFO, paths))
        }
        tags::SCHEDULED_CALL_CREATION_MESSAGE => {
            ("call", words(0, &[&[tags::scheduled_call_creation_message::TITLE]]))
        }
        tags::POLL_RESULT_SNAPSHOT_MESSAGE | tags::POLL_RESULT_SNAPSHOT_MESSAGE_V3 => {
            use tags::poll_result_snapshot_message as result;
            let paths: Paths =
                &[&[result::NAME], &[result::POLL_VOTES, result::poll_vote::OPTION_NAME]];
            ("poll result", words(result::CONTEXT_INFO, paths))
        }
        _ => return business(field),
    })
}

/// What businesses send and what people answer them.
fn business(field: u32) -> Option<(&'static str, Words)> {
    let words = |context, paths| Words { context, paths, ..NO_WORDS };
    Some(match field {
        tags::TEMPLATE_MESSAGE => {
            ("interactive message", words(tags::template_message::CONTEXT_INFO, TEMPLATE))
        }
        tags::HIGHLY_STRUCTURED_MESSAGE => ("interactive message", words(0, STRUCTURED)),
        tags::BUTTONS_MESSAGE => {
            ("interactive message", words(tags::buttons_message::CONTEXT_INFO, BUTTONS))
        }
        tags::LIST_MESSAGE => {
            ("interactive message", words(tags::list_message::CONTEXT_INFO, LIST))
        }
        tags::INTERACTIVE_MESSAGE => {
            ("interactive message", words(tags::interactive_message::CONTEXT_INFO, INTERACTIVE))
        }
        tags::BUTTONS_RESPONSE_MESSAGE => {
            use tags::buttons_response_message as response;
            (RESPONSE, words(response::CONTEXT_INFO, &[&[response::SELECTED_DISPLAY_TEXT]]))
        }
        tags::TEMPLATE_BUTTON_REPLY_MESSAGE => {
            use tags::template_button_reply_message as response;
            (RESPONSE, words(response::CONTEXT_INFO, &[&[response::SELECTED_DISPLAY_TEXT]]))
        }
        tags::LIST_RESPONSE_MESSAGE => {
            use tags::list_response_message as response;
            let paths: Paths = &[&[response::TITLE], &[response::DESCRIPTION]];
            (RESPONSE, words(response::CONTEXT_INFO, paths))
        }
        tags::INTERACTIVE_RESPONSE_MESSAGE => {
            use tags::interactive_response_message as response;
            let paths: Paths = &[&[response::BODY, response::body::TEXT]];
            (RESPONSE, words(response::CONTEXT_INFO, paths))
        }
        tags::PRODUCT_MESSAGE => ("product", words(tags::product_message::CONTEXT_INFO, PRODUCT)),
        tags::ORDER_MESSAGE => {
            use tags::order_message as order;
            ("order", words(order::CONTEXT_INFO, &[&[order::ORDER_TITLE], &[order::MESSAGE]]))
        }
        tags::INVOICE_MESSAGE => ("payment", words(0, &[&[tags::invoice_message::NOTE]])),
        _ => return None,
    })
}

const RESPONSE: &str = "reply to an interactive message";

const TEMPLATE: &[&[u32]] = {
    use all::hydrated_template_button as button;
    use tags::template_message::{
        HYDRATED_FOUR_ROW_TEMPLATE as ROWS, hydrated_four_row_template as rows,
    };
    &[
        &[ROWS, rows::HYDRATED_TITLE_TEXT],
        &[ROWS, rows::HYDRATED_CONTENT_TEXT],
        &[ROWS, rows::HYDRATED_FOOTER_TEXT],
        &[
            ROWS,
            rows::HYDRATED_BUTTONS,
            button::QUICK_REPLY_BUTTON,
            button::hydrated_quick_reply_button::DISPLAY_TEXT,
        ],
        &[
            ROWS,
            rows::HYDRATED_BUTTONS,
            button::URL_BUTTON,
            button::hydrated_url_button::DISPLAY_TEXT,
        ],
        &[ROWS, rows::HYDRATED_BUTTONS, button::URL_BUTTON, button::hydrated_url_button::URL],
        &[
            ROWS,
            rows::HYDRATED_BUTTONS,
            button::CALL_BUTTON,
            button::hydrated_call_button::DISPLAY_TEXT,
        ],
        &[
            tags::template_message::INTERACTIVE_MESSAGE_TEMPLATE,
            tags::interactive_message::BODY,
            tags::interactive_message::body::TEXT,
        ],
    ]
};

const STRUCTURED: &[&[u32]] = {
    use tags::{
        highly_structured_message::HYDRATED_HSM as HSM,
        template_message::{
            HYDRATED_FOUR_ROW_TEMPLATE as ROWS, hydrated_four_row_template as rows,
        },
    };
    &[
        &[HSM, ROWS, rows::HYDRATED_TITLE_TEXT],
        &[HSM, ROWS, rows::HYDRATED_CONTENT_TEXT],
        &[HSM, ROWS, rows::HYDRATED_FOOTER_TEXT],
    ]
};

const BUTTONS: &[&[u32]] = {
    use tags::buttons_message as numbers;
    &[
        &[numbers::TEXT],
        &[numbers::CONTENT_TEXT],
        &[numbers::FOOTER_TEXT],
        &[
            numbers::BUTTONS,
            numbers::button::BUTTON_TEXT,
            numbers::button::button_text::DISPLAY_TEXT,
        ],
    ]
};

const LIST: &[&[u32]] = {
    use tags::list_message as numbers;
    use tags::list_message::{SECTIONS, row, section};
    &[
        &[numbers::TITLE],
        &[numbers::DESCRIPTION],
        &[numbers::FOOTER_TEXT],
        &[SECTIONS, section::ROWS, row::TITLE],
    ]
};

const INTERACTIVE: &[&[u32]] = {
    use tags::interactive_message as numbers;
    &[
        &[numbers::HEADER, numbers::header::TITLE],
        &[numbers::HEADER, numbers::header::SUBTITLE],
        &[numbers::BODY, numbers::body::TEXT],
        &[numbers::FOOTER, numbers::footer::TEXT],
    ]
};

const PRODUCT: &[&[u32]] = {
    use tags::product_message as numbers;
    &[
        &[numbers::PRODUCT, numbers::product_snapshot::TITLE],
        &[numbers::PRODUCT, numbers::product_snapshot::DESCRIPTION],
        &[numbers::PRODUCT, numbers::product_snapshot::URL],
        &[numbers::BODY],
        &[numbers::FOOTER],
    ]
};
