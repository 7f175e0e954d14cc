//! To whom a response may be given, worked out from the text of RFC 9111 and from what the crate promises, and from
//! nothing of its code.

/// Who asks, as far as a handler can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Asker {
    pub(crate) authorization: Option<&'static str>,
    pub(crate) cookie: Option<&'static str>,
    /// In a header of the service's own, that no list of such headers has.
    pub(crate) own: Option<&'static str>,
    pub(crate) language: &'static str,
}

impl Asker {
    pub(crate) fn headers(&self) -> Vec<(&'static str, &'static str)> {
        let mut headers = vec![("accept-language", self.language)];
        headers.extend(self.authorization.map(|value| ("authorization", value)));
        headers.extend(self.cookie.map(|value| ("cookie", value)));
        headers.extend(self.own.map(|value| (OWN, value)));
        headers
    }

    fn field(&self, name: &str) -> Option<&'static str> {
        self.headers().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn has_credentials(&self) -> bool {
        self.authorization.is_some() || self.cookie.is_some()
    }
}

/// The service's own header.
pub(crate) const OWN: &str = "x-session";

/// What a handler says about who may have its responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) cache_control: &'static str,
    pub(crate) vary: &'static str,
    pub(crate) sets_cookie: bool,
}

/// A response to `maker` about to be given to `receiver`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Giving {
    pub(crate) terms: Terms,
    pub(crate) maker: Asker,
    pub(crate) receiver: Asker,
    /// Whether the handler, asked by the receiver, said that what is stored still stands.
    pub(crate) validated: bool,
}

impl Terms {
    /// Whether the field follows the grammar, as far as those in use here break it.
    fn is_well_formed(&self) -> bool {
        let said = self.cache_control;
        let quotes = said.chars().filter(|&character| character == '"').count();
        quotes % 2 == 0
            && !said.contains(';')
            && !said.contains(" =")
            && !said.contains("=,")
            && !said.ends_with('=')
    }

    /// Whether it permits something: in a field without a fault, exactly so.
    fn permits(&self, name: &str) -> bool {
        let argument = self.directive(name);
        self.is_well_formed()
            && match name {
                "s-maxage" => {
                    argument.flatten().is_some_and(|age| age.bytes().all(|byte| byte.is_ascii_digit()))
                }
                _ => argument == Some(None),
            }
    }

    /// Whether it forbids something, however that is written.
    fn forbids(&self, name: &str) -> bool {
        self.cache_control.split([',', ';', ' ']).any(|word| word == name)
    }

    /// The directives. None of those in use here has a comma in its argument.
    fn directive(&self, name: &str) -> Option<Option<&'static str>> {
        self.cache_control.split(',').map(str::trim).find_map(|directive| match directive.split_once('=') {
            Some((known, argument)) => (known == name).then_some(Some(argument)),
            None => (directive == name).then_some(None),
        })
    }

    fn has(&self, name: &str) -> bool {
        self.directive(name).is_some()
    }

    /// Section 3: whether a shared cache may store a response with status 200 to this request at all.
    fn may_be_stored(&self, maker: &Asker) -> bool {
        let no_store = self.forbids("no-store");
        // Section 5.2.2.7: with field names it is about these fields only.
        let private = self.forbids("private");
        // Section 3.5.
        let is_for_all = self.is_for_all() || self.permits("must-revalidate");
        // A 200 is heuristically cacheable: nothing has to be said about its freshness.
        !no_store && !private && (maker.authorization.is_none() || is_for_all)
    }

    fn is_for_all(&self) -> bool {
        self.permits("public") || self.permits("s-maxage")
    }

    /// Section 4.1: whether it was chosen by what the other request says too.
    fn selects(&self, maker: &Asker, receiver: &Asker) -> bool {
        let mut names = self.vary.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.all(|name| name != "*" && maker.field(name) == receiver.field(name))
    }

    /// Whether nothing is said of how long it is fresh. (`no-cache` says it: not at all.)
    pub(crate) fn is_silent(&self) -> bool {
        !self.has("max-age") && !self.has("s-maxage") && !self.has("no-cache")
    }
}

impl Giving {
    /// By RFC 9111.
    pub(crate) fn is_allowed(&self) -> bool {
        // Section 5.2.2.4: not without asking.
        let has_to_be_validated = self.terms.directive("no-cache") == Some(None);
        self.terms.may_be_stored(&self.maker)
            && self.terms.selects(&self.maker, &self.receiver)
            && (self.validated || !has_to_be_validated)
    }

    /// By what the crate promises beyond that.
    pub(crate) fn is_promised_to_be_withheld(&self) -> bool {
        let Self { terms, maker, receiver, .. } = self;
        let is_for_all = terms.is_for_all();
        let names_own = terms.vary.split(',').any(|name| name.trim() == OWN);
        let by_own =
            (maker.own.is_some() || receiver.own.is_some()) && !names_own && !terms.permits("public");
        let by_cookie = terms.vary.split(',').any(|name| name.trim() == "cookie");
        let is_of_a_cookie = maker.cookie.is_some() && !is_for_all && !by_cookie;
        let is_personal =
            terms.is_silent() && (maker.has_credentials() || receiver.has_credentials() || by_own);
        terms.sets_cookie || is_of_a_cookie || is_personal
    }

    /// Section 5.2.2.7: whether the field `name` is for the first receiver only.
    pub(crate) fn is_private_field(&self, name: &str) -> bool {
        let said = self.terms.cache_control.to_ascii_lowercase();
        let named = said.split_once("private=\"").and_then(|(_, rest)| rest.split_once('"'));
        named.is_some_and(|(names, _)| names.split(',').any(|known| known.trim() == name))
    }
}

#[test]
fn the_oracle_says_what_the_sections_say() {
    const A: Asker = Asker { authorization: Some("A"), cookie: None, language: "en", own: None };
    const B: Asker = Asker { authorization: None, cookie: Some("B"), language: "en", own: None };
    const ANONYMOUS: Asker = Asker { authorization: None, cookie: None, language: "en", own: None };
    let allowed = |cache_control, vary, maker: &Asker, receiver: &Asker, validated| {
        let terms = Terms { cache_control, vary, sets_cookie: false };
        Giving { terms, maker: *maker, receiver: *receiver, validated }.is_allowed()
    };
    // Section 3.
    assert!(allowed("max-age=60", "", &ANONYMOUS, &A, false));
    assert!(allowed("", "", &ANONYMOUS, &A, false));
    assert!(!allowed("no-store, max-age=60", "", &ANONYMOUS, &ANONYMOUS, true));
    assert!(!allowed("private, max-age=60", "", &ANONYMOUS, &ANONYMOUS, true));
    assert!(allowed("private=\"x\", max-age=60", "", &ANONYMOUS, &B, false));
    // Section 3.5.
    assert!(!allowed("max-age=60", "", &A, &A, false));
    for for_all in ["public", "s-maxage=60", "must-revalidate"] {
        assert!(allowed(for_all, "", &A, &B, false));
    }
    // Section 4.1.
    assert!(!allowed("max-age=60", "cookie", &B, &ANONYMOUS, false));
    assert!(allowed("max-age=60", "cookie, accept-language", &B, &B, false));
    assert!(!allowed("max-age=60", "*", &B, &B, false));
    // Section 5.2.2.4.
    assert!(!allowed("no-cache, max-age=60", "", &ANONYMOUS, &B, false));
    assert!(allowed("no-cache, max-age=60", "", &ANONYMOUS, &B, true));
}
