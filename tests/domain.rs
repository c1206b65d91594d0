//! Values that can only be right.

use proptest::prelude::*;
use shared::domain::clock::SystemClock;
use shared::domain::{AccountId, AccountVersion, Clock, FoldedText, GroupId, Moment, SortKey, Timestamp};

use crate::harness::IMPOSSIBLE_GROUPS;

#[test]
fn times_have_whole_seconds_and_z() {
    assert_eq!(Timestamp::from_unix_seconds(1_705_314_600).to_string(), "2024-01-15T10:30:00Z");
    assert_eq!(Timestamp::from_unix_seconds(-1).to_string(), "1969-12-31T23:59:59Z");
    assert_eq!(Timestamp::from_unix_seconds(i64::MAX), Timestamp::from_unix_seconds(0));
    let text = "2024-02-29T23:59:59Z".to_owned();
    assert_eq!(Timestamp::try_from(text.clone()).unwrap().to_string(), text);
    assert!(SystemClock.now() > Timestamp::from_unix_seconds(1_705_314_600));
}

#[test]
fn account_versions_order_as_moments_whatever_their_offset() {
    let version = |text| Moment::parse(text).unwrap();
    assert_eq!(version("2024-01-15T10:30:00Z"), version("2024-01-15T12:30:00+02:00"));
    assert!(version("2024-01-15T10:30:00.000000001Z") > version("2024-01-15T10:30:00Z"));
    assert!(version("2024-01-15T10:30:00Z") < version("2024-01-15T10:30:00-01:00"));
    for wrong in ["", "2024-01-15", "2024-01-15 10:30", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
        assert!(Moment::parse(wrong).is_err(), "{wrong}");
    }
}

/// Texts have the order of versions, whatever is told: in the table, texts are compared.
#[test]
fn account_versions_order_as_what_stands() {
    let at = Moment::from_unix_nanos;
    let described = |nanos, status: &str| AccountVersion::described(at(nanos), "name", "email", status);
    let order = [
        AccountVersion::EARLIEST,
        described(-1, "active"),
        AccountVersion::deleted(at(-1)),
        AccountVersion::at(at(0)),
        described(0, "active"),
        described(0, "suspended"),
        AccountVersion::deleted(at(0)),
        described(1, "active"),
        AccountVersion::deleted(at(i64::MAX)),
    ];
    assert!(order.is_sorted());
    let texts = order.map(|version| version.to_string());
    assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == 16));
    assert_eq!(texts.map(|text| AccountVersion::try_from(text).unwrap()), order);
    for wrong in ["", "1", "...............", ".................", "...............+", "............===="] {
        assert!(AccountVersion::try_from(wrong.to_owned()).is_err(), "{wrong}");
    }
}

#[test]
fn text_is_folded_as_unicode_says() {
    for (text, folded) in [
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ﬁnance", "finance"),
        ("Ａ１", "a1"),
        ("e\u{301}", "é"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("İ", "i\u{307}"),
        ("𝔄", "a"),
        ("か\u{3099}", "が"),
    ] {
        assert_eq!(FoldedText::of(text).as_str(), folded);
    }
}

#[test]
fn sort_keys_are_cut_at_a_character() {
    let key = SortKey::cut(&"😀".repeat(300));
    assert_eq!(key.as_str(), "😀".repeat(240));
    assert_eq!(SortKey::cut(&"n".repeat(961)).as_str().len(), 960);
}

proptest! {
    #[test]
    fn group_ids_read_back_and_order_by_time(millis in 0_u64..1 << 48, random: u128, later in 1_u64..1 << 20) {
        let id = GroupId::new(millis, random);
        prop_assert_eq!(GroupId::parse(&id.to_string()), Some(id));
        prop_assert_eq!(GroupId::from_bytes(*id.as_bytes()), id);
        if millis + later < 1 << 48 {
            prop_assert!(GroupId::new(millis + later, !random) > id);
        }
    }

    #[test]
    fn no_other_text_is_a_group_id(text in "\\PC{0,44}") {
        prop_assert_eq!(GroupId::parse(&text), None);
    }

    #[test]
    fn account_ids_are_visible_and_stand_in_a_path(text in "\\PC{0,130}") {
        let fits = (1..=128).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_graphic() && !"/?#%".contains(c))
            && text != "."
            && text != "..";
        prop_assert_eq!(AccountId::parse(&text).is_some(), fits);
    }

    #[test]
    fn folding_is_blind_to_case_and_form(text in "[a-zA-Zäöüß ]{0,20}") {
        let folded = FoldedText::of(&text);
        prop_assert_eq!(&FoldedText::of(&text.to_uppercase()), &folded);
        prop_assert_eq!(&FoldedText::of(&text.to_lowercase()), &folded);
        prop_assert_eq!(&FoldedText::of(folded.as_str()), &folded);
    }
}

#[test]
fn impossible_ids_are_impossible() {
    for text in IMPOSSIBLE_GROUPS {
        assert_eq!(GroupId::parse(text), None, "{text}");
    }
}
