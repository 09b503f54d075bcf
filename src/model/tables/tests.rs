use proptest::prelude::*;

use super::super::name::is_border;
use super::*;

fn given(table: Table, text: &str) -> Result<Tables, Error> {
    Tables::new(vec![Given { table, from: "t".to_owned(), bytes: text.into() }])
}

#[test]
fn every_delegated_domain_is_one_that_the_suffix_list_knows() {
    let tops = &Tables::built_in().tops;
    let tlds = || tops.iter().filter(|(_, top)| top.delegated).map(|(tld, _)| tld);
    assert!(tlds().count() > 1_400, "{}", tlds().count());
    for tld in tlds() {
        // Of some the list has only a rule for what stands below.
        let known = [tld.to_string(), format!("x.{tld}"), format!("co.{tld}")]
            .iter()
            .any(|name| psl::suffix(name.as_bytes()).is_some_and(|suffix| suffix.is_known()));
        assert!(known, "{tld}");
    }
}

#[test]
fn no_private_or_special_domain_is_delegated() {
    let tables = Tables::built_in();
    let private = tables.tops.values().filter(|top| top.private).count();
    assert_eq!(private, 15, "none was taken out for being delegated");
    assert!(!tables.special_use.iter().any(|suffix| tables.top(suffix).delegated));
}

#[test]
fn every_table_is_read() {
    let tables = Tables::built_in();
    assert_eq!(tables.special_use.len(), 9);
    let placeholders = (tables.placeholder_labels.len(), tables.placeholder_suffixes.len(), tables.default_hosts.len());
    assert_eq!(placeholders, (22, 2, 7));
    assert!(tables.is_default_host("win-7q2kd8fa1") && tables.is_default_host("friend"));
    assert!(!tables.is_default_host("friends"));
    assert!(tables.is_placeholder("a.fritz.box", None) && !tables.is_placeholder("afritz.box", Some("afritz")));
    assert_eq!(tables.special_use("gw.home.arpa"), Some("home.arpa"));
    for (word, sets) in [
        ("dyn", PtrSets::ALLOC),
        ("adslplus", PtrSets::TECH),
        ("h", PtrSets::GENERIC),
        ("vps", PtrSets::GENERIC.and(PtrSets::STATIC)),
        ("fix", PtrSets::EXPLICIT),
        ("mx", PtrSets::MAIL),
        ("dy", PtrSets::default()),
        ("zzz", PtrSets::default()),
        ("{", PtrSets::default()),
        ("", PtrSets::default()),
    ] {
        assert_eq!(tables.ptr_word(word.as_bytes()), sets, "{word}");
    }
}

#[test]
fn every_table_says_its_date_and_the_list_that_is_compiled_is_the_one_it_names() {
    let sources = Tables::built_in().sources();
    assert_eq!(sources.iter().map(|source| source.table).collect::<Vec<_>>(), Table::ALL);
    assert!(sources.iter().all(|source| sheet::is_date(&source.date) && source.from.starts_with("built-in")));
    assert_eq!(sources[Table::Ptr as usize].version, Some(1));
    let lock = include_str!("../../../Cargo.lock");
    let entry = format!("name = \"psl\"\nversion = \"{}\"\n", suffixes::CRATE);
    assert!(lock.contains(&entry), "the date in suffixes.rs is that of another version of psl");
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    let bytes = b"date: 2027-01-01\ncom\n\xFF".to_vec();
    let error = Tables::new(vec![Given { table: Table::Tlds, from: "t".to_owned(), bytes }]).unwrap_err();
    assert_eq!((error.line, &*error.reason), (3, "not in UTF-8"));
}

#[test]
fn a_given_table_takes_the_place_of_the_one_inside_and_of_no_other() {
    let tables = given(Table::SpecialUse, "# mine\ndate: 2027-01-01\nintern home.arpa\n").unwrap();
    assert_eq!(tables.special_use("a.intern"), Some("intern"));
    assert_eq!(tables.special_use("a.local"), None);
    assert!(tables.top("corp").private && tables.top("com").delegated);
    let source = &tables.sources()[Table::SpecialUse as usize];
    assert_eq!((&*source.date, &*source.from), ("2027-01-01", "t"));
    assert!(tables.sources()[Table::Tlds as usize].from.starts_with("built-in"));
}

#[test]
fn a_word_that_was_delegated_since_is_no_longer_private() {
    let tables = given(Table::Tlds, "date: 2027-01-01\ncom corp\n").unwrap();
    assert!(!tables.top("corp").private && tables.top("lan").private && !tables.top("org").delegated);
}

#[test]
fn a_table_that_makes_no_sense_is_refused_with_line_and_reason() {
    for (table, text, line, reason) in [
        (Table::Tlds, "com net\n", 1, "without a line `date:"),
        (Table::Tlds, "", 1, "without a line `date:"),
        (Table::Tlds, "date: 2027-01-01\n", 1, "without a word"),
        (Table::Tlds, "date: 2027-13-01\ncom\n", 1, "is no date"),
        (Table::Tlds, "date: today\ncom\n", 1, "is no date"),
        (Table::Tlds, "date: 2027-01-01\ncom\ndate: 2027-01-02\n", 3, "a second date"),
        (Table::Tlds, "date: 2027-01-01\n\n# no\ncom NET\n", 4, "\"NET\" is not one label in lower case"),
        (Table::PrivateTlds, "date: 2027-01-01\nmail.lan\n", 2, "\"mail.lan\" is not one label"),
        (Table::PrivateTlds, "date: 2027-01-01\nlabel: lan\n", 2, "there is no section \"label\""),
        (Table::SpecialUse, "date: 2027-01-01\nhome..arpa\n", 2, "is no name"),
        (Table::SpecialUse, "date: 2027-01-01\nhome-.arpa\n", 2, "is no name"),
        (Table::Placeholders, "date: 2027-01-01\nchangeme\n", 2, "words without a section"),
        (
            Table::Placeholders,
            "date: 2027-01-01\nnames: changeme\n",
            2,
            "no section \"names\", but label, suffix, host",
        ),
        (Table::Placeholders, "date: 2027-01-01\nhost: *\n", 2, "nor the beginning of one"),
        (Table::Ptr, "date: 2027-01-01\nmail: mx\n", 2, "without a line `version:"),
        (Table::Ptr, "date: 2027-01-01\nversion: one\nmail: mx\n", 2, "is no number"),
        (Table::Ptr, "date: 2027-01-01\nversion: 2\nmail: mx1\n", 3, "\"mx1\" is no word of lower-case letters"),
        (Table::PublicSuffix, "com\n", 1, "stands before"),
        (Table::PublicSuffix, "// VERSION: soon\n", 1, "does not begin with a date"),
        (Table::PublicSuffix, "// ===BEGIN ICANN DOMAINS===\ncom\n", 2, "without a line `// VERSION:"),
        (Table::PublicSuffix, "// VERSION: 2027-01-01_a\n// ===BEGIN ICANN DOMAINS===\ncom\n", 3, "END ICANN"),
        (Table::PublicSuffix, "// VERSION: 2027-01-01\n// ===BEGIN ICANN DOMAINS===\nCOM\n", 3, "is no rule"),
        (Table::PublicSuffix, "// VERSION: 2027-01-01\n// ===BEGIN ICANN DOMAINS===\n!uk\n", 3, "is no rule"),
        (Table::PublicSuffix, "// VERSION: 2027-01-01\n// ===BEGIN ICANN DOMAINS===\nco..uk\n", 3, "is no rule"),
    ] {
        let error = given(table, text).unwrap_err();
        assert!(error.line == line && error.reason.contains(reason), "{text:?}: {error}");
        assert!(error.to_string().starts_with("cannot use the table t, line "), "{error}");
    }
}

const LIST: &str = "// VERSION: 2027-01-01_00-00-00_UTC\n\n// ===BEGIN ICANN DOMAINS===\n\n// com : a comment\ncom\norg\n\
    // ck\n*.ck\n!www.ck\nрф.test\n\n// ===END ICANN DOMAINS===\n// ===BEGIN PRIVATE DOMAINS===\nhost.com\n\
    cust.host.com\n// ===END PRIVATE DOMAINS===\n";

#[test]
fn a_given_suffix_list_is_read_by_its_own_rules() {
    let tables = given(Table::PublicSuffix, LIST).unwrap();
    assert_eq!(tables.sources()[Table::PublicSuffix as usize].date, "2027-01-01");
    for (name, suffix) in [
        ("a.b.com", "com"),
        ("a.cust.host.com", "com"),
        ("a.b.ck", "b.ck"),
        ("a.www.ck", "ck"),
        ("a.xn--p1ai.test", "xn--p1ai.test"),
        ("a.co.uk", "uk"),
        ("mx\\.isp.com", "com"),
        ("isp\\.com", "isp\\.com"),
        ("com", "com"),
    ] {
        assert_eq!(name.get(tables.suffix(name).start..), Some(suffix), "{name}");
    }
    assert_eq!(tables.suffix("host.com").whole, Some(Section::Private));
    assert_eq!(tables.suffix("com").whole, Some(Section::Icann));
    assert_eq!(tables.suffix("b.host.com").whole, None);
}

#[test]
fn an_exception_of_the_list_is_registrable_itself() {
    for (name, suffix) in [("city.kawasaki.jp", "kawasaki.jp"), ("a.b.kawasaki.jp", "b.kawasaki.jp"), ("www.ck", "ck")]
    {
        assert_eq!(name.get(Tables::built_in().suffix(name).start..), Some(suffix), "{name}");
    }
}

/// The definition for all but exceptions, word by word: the longest tail that is a suffix of the ICANN section, else the last label.
fn by_definition(name: &str) -> usize {
    let starts = || (0..name.len()).filter(|at| is_border(name, *at));
    let is_suffix = |at: &usize| {
        psl::suffix(&name.as_bytes()[*at..])
            .is_some_and(|suffix| suffix.as_bytes().len() == name.len() - at && suffix.typ() == Some(psl::Type::Icann))
    };
    starts().find(is_suffix).or_else(|| starts().next_back()).unwrap_or(0)
}

proptest! {
    #[test]
    fn the_quick_walk_finds_what_the_definition_wants(
        head in prop::collection::vec(r"[a-z]{1,3}|s3|eu-west-1|compute|www|a\\\\?\\.", 0..4),
        tail in r"com|co\.uk|ck|www\.ck|amazonaws\.com|github\.io|blogspot\.com|er|b\\\.co\.uk|nosuch",
    ) {
        let name = head.into_iter().chain([tail]).collect::<Vec<_>>().join(".");
        let start = by_definition(&name);
        let whole = psl::suffix(name.as_bytes()).filter(|suffix| suffix.as_bytes().len() == name.len());
        let private = whole.is_some_and(|suffix| suffix.typ() == Some(psl::Type::Private));
        let whole = if start == 0 { Some(Section::Icann) } else { private.then_some(Section::Private) };
        prop_assert_eq!(Tables::built_in().suffix(&name), Suffix { start, whole }, "{}", name);
    }

    #[test]
    fn any_text_is_a_table_or_refused(text in "(date: 2027-01-01\n)?(version: 1\n)?[ -~\n]{0,200}", table in prop::sample::select(Table::ALL.to_vec())) {
        if let Err(error) = given(table, &text) {
            prop_assert!(error.line >= 1 && error.line <= text.lines().count().max(1));
        }
    }
}
