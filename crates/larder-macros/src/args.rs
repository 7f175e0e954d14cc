//! The attribute's tokens become options; spans are kept, and every mistake is collected.

mod as_template;
mod cached_calls;
mod duration;
mod foreign_options;
mod given_option;
mod lifetime;
mod limits;
mod options;
mod value;

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Ident, Lit, LitStr, Path, Token};

use self::options::{Known, find, is_option};
use crate::errors::Errors;

pub(crate) use cached_calls::{Callee, Named};
pub(crate) use duration::Time;
pub(crate) use given_option::{Given, Macro};
pub(crate) use limits::{Limits, Rate};
pub(crate) use value::{Elements, Fraction, Namespace};

const NO_ITEM: &str = "a stream of which no item is stored is not stored";
const NO_ELEMENT: &str = "a body that is given no element computes none";

/// Everything that was written in the attribute.
#[derive(Default)]
pub(crate) struct Args {
    /// Bare string literals: the templates of `#[invalidate]`.
    pub(crate) templates: Vec<LitStr>,
    /// Cached functions that `#[invalidate]` names.
    pub(crate) functions: Vec<Named>,
    pub(crate) ttl: Option<Given<Time>>,
    /// The longest, where it is chosen for each result; `ttl` is the shortest.
    pub(crate) adaptive_to: Option<Given<Time>>,
    pub(crate) key: Option<Given<LitStr>>,
    pub(crate) each: Option<Given<Elements>>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) tags: Vec<LitStr>,
    pub(crate) namespace: Option<Given<Namespace>>,
    pub(crate) schema: Option<Given<u32>>,
    pub(crate) cache: Option<Given<Expr>>,
    pub(crate) jitter: Option<Given<Fraction>>,
    pub(crate) stale_while_revalidate: Option<Given<Time>>,
    pub(crate) stale_if_error: Option<Given<Time>>,
    pub(crate) refresh_ahead: Option<Given<Fraction>>,
    pub(crate) idle: Option<Given<Time>>,
    pub(crate) memory_ttl: Option<Given<Time>>,
    pub(crate) negative_ttl: Option<Given<Time>>,
    pub(crate) share_err: Option<Given<Expr>>,
    pub(crate) cache_err: Option<Given<Time>>,
    pub(crate) cache_err_if: Option<Given<Expr>>,
    pub(crate) timeout: Option<Given<Time>>,
    pub(crate) retry_after: Option<Given<Time>>,
    pub(crate) deadline: Option<Given<Time>>,
    pub(crate) or: Option<Given<Expr>>,
    pub(crate) lock: Option<Given<Expr>>,
    pub(crate) when: Option<Given<Expr>>,
    pub(crate) max_items: Option<Given<Expr>>,
    pub(crate) max_batch_size: Option<Given<Expr>>,
    pub(crate) unless: Option<Given<Expr>>,
    /// `if`
    pub(crate) condition: Option<Given<Expr>>,
    pub(crate) local: Option<Given<bool>>,
    pub(crate) spawn: Option<Given<bool>>,
    pub(crate) takeover_after: Option<Given<Time>>,
    pub(crate) detached: Option<Given<bool>>,
    pub(crate) companions: Option<Given<bool>>,
    pub(crate) shared_key: Option<Given<bool>>,
    pub(crate) on_ok: Option<Given<()>>,
    /// Of `#[limited]`.
    pub(crate) limits: Limits,
    pub(crate) soft: Option<Given<bool>>,
    pub(crate) krate: Option<Given<Path>>,
    /// The options whose names were written, and where.
    named: Vec<(&'static str, Span)>,
    /// The options that were probably meant by something else.
    meant: Vec<&'static str>,
    /// Something was written that could not be read.
    not_understood: bool,
}

impl Args {
    /// Reads the attribute's tokens.
    pub(crate) fn parse(tokens: TokenStream, of: Macro, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let parser = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = args.parse_one(input, of) {
                    errors.add(error);
                    args.not_understood = true;
                    skip_to_comma(input);
                }
                if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                    errors.push(input.span(), "expected `,` and the next option");
                    skip_to_comma(input);
                    input.parse::<Option<Token![,]>>()?;
                }
            }
            Ok(())
        };
        let result = parser.parse2(tokens);
        errors.keep(result);
        args
    }

    /// Whether the option was written, even if not well: then it is not missing.
    pub(crate) fn attempted(&self, name: &str) -> bool {
        self.written(name).is_some() || self.meant.contains(&name)
    }

    /// Where the name of an option was written.
    pub(crate) fn written(&self, name: &str) -> Option<Span> {
        self.named.iter().find(|(named, _)| *named == name).map(|(_, span)| *span)
    }

    /// Where an option stands that needs an async function.
    pub(crate) fn span_of(&self, option: &str) -> Option<Span> {
        fn span<T>(given: &Option<Given<T>>) -> Option<Span> {
            given.as_ref().map(|given| given.name.span())
        }
        match option {
            "stale_while_revalidate" => span(&self.stale_while_revalidate),
            "refresh_ahead" => span(&self.refresh_ahead),
            "timeout" => span(&self.timeout),
            "deadline" => span(&self.deadline),
            "spawn" => span(&self.spawn),
            "takeover_after" => span(&self.takeover_after),
            "memory_ttl" => span(&self.memory_ttl),
            "lock" => span(&self.lock),
            "adaptive" => span(&self.adaptive_to),
            _ => None,
        }
    }

    /// Whether the attribute names `Self`, which only functions in an `impl` or a trait can.
    pub(crate) fn names_self_type(&self) -> bool {
        let named = |text: &LitStr| {
            let text = text.value();
            text.contains("<Self>") || text.contains("<Self::")
        };
        let keys = self.key.iter().chain(&self.limits.per).map(|key| &key.value);
        self.skip.iter().any(|name| name == "Self")
            || keys.chain(&self.templates).chain(&self.tags).any(named)
    }

    /// Whether there was something that could not be read.
    pub(crate) fn not_understood(&self) -> bool {
        self.not_understood
    }

    fn parse_one(&mut self, input: ParseStream<'_>, of: Macro) -> syn::Result<()> {
        if input.peek(Lit) {
            return self.parse_literal(input.parse()?, of);
        }
        if of == Macro::Invalidate && cached_calls::begins(input, is_option) {
            self.functions.push(cached_calls::parse(input)?);
            return Ok(());
        }
        if of != Macro::Invalidate && input.peek(Ident) && input.peek2(Token![::]) {
            // `Duration::from_secs(60)`
            let value: Expr = input.parse()?;
            let (meant, what) = match of {
                Macro::Limited => ("rate", "rate"),
                _ => ("ttl", "length of time"),
            };
            self.meant.push(meant);
            let message = format!("expected an option of `{}`: write `{meant} = …` for a {what}", of.name());
            return Err(syn::Error::new_spanned(value, message));
        }
        if input.peek(Ident) && input.peek2(Token![!]) {
            return self.refuse_macro_call(&input.parse()?, of);
        }
        let Ok(name) = input.call(Ident::parse_any) else {
            return Err(input.error(format!("expected an option of `{}`", of.name())));
        };
        let option = match find(&name, of) {
            Ok(option) => option,
            Err(unknown) => {
                self.meant.extend(unknown.meant);
                return Err(syn::Error::new(name.span(), unknown.message));
            }
        };
        if self.written(option.name).is_some() {
            let message = format!("`{}` is given twice: keep one of them", option.name);
            return Err(syn::Error::new(name.span(), message));
        }
        self.named.push((option.name, name.span()));
        self.parse_value(name, option, input, of)
    }

    /// `format!("user:{id}")`, where a key in quotes was expected.
    fn refuse_macro_call(&mut self, call: &Expr, of: Macro) -> syn::Result<()> {
        let template = as_template::as_template(call).unwrap_or_else(|| "user:<id>".to_owned());
        let message = match of {
            Macro::Invalidate => format!(
                "a key is a string literal, with arguments as `<name>`: write `#[invalidate({template:?})]`"
            ),
            Macro::Cached | Macro::CachedMany | Macro::CachePut | Macro::Limited => {
                let option = if of == Macro::Limited { "per" } else { "key" };
                self.meant.push(option);
                format!("expected an option of `{}`: did you mean `{option} = {template:?}`?", of.name())
            }
        };
        Err(syn::Error::new_spanned(call, message))
    }

    /// A value without the name of its option.
    fn parse_literal(&mut self, literal: Lit, of: Macro) -> syn::Result<()> {
        if of == Macro::Invalidate {
            let Lit::Str(template) = literal else {
                let message = "expected a key or a prefix in quotes, such as `\"user:<id>\"` or `\"user:*\"`";
                return Err(syn::Error::new(literal.span(), message));
            };
            self.templates.push(template);
            return Ok(());
        }
        let (option, value) = match &literal {
            Lit::Str(text) if of == Macro::Limited => limits::meant_by(text),
            Lit::Int(number) if of == Macro::Limited => ("rate", format!("\"{number}/min\"")),
            Lit::Int(number) if number.base10_digits().starts_with('-') => ("ttl", "300".to_owned()),
            Lit::Int(number) if !number.suffix().is_empty() => ("ttl", format!("\"{number}\"")),
            Lit::Int(number) => ("ttl", number.to_string()),
            Lit::Str(text) if duration::parse(&text.value()).is_ok() => ("ttl", text.token().to_string()),
            Lit::Str(text) => ("key", text.token().to_string()),
            _ => {
                let message = format!("expected an option of `{}`", of.name());
                return Err(syn::Error::new(literal.span(), message));
            }
        };
        self.meant.push(option);
        Err(syn::Error::new(literal.span(), format!("did you mean `{option} = {value}`?")))
    }

    fn parse_value(
        &mut self,
        name: Ident,
        option: &Known,
        input: ParseStream<'_>,
        of: Macro,
    ) -> syn::Result<()> {
        let example = option.example;
        match option.name {
            "ttl" => {
                let lifetime = lifetime::parse(name, input, example, of)?;
                (self.ttl, self.adaptive_to) = (Some(lifetime.shortest), lifetime.longest);
            }
            "key" => self.key = Some(value::text(name, input, example)?),
            "each" => self.each = Some(value::elements(name, input, example)?),
            "skip" => self.skip = value::names(&name, input, example)?,
            "tags" => self.tags = value::texts(&name, input, example)?,
            "namespace" => self.namespace = Some(value::namespace(name, input, example)?),
            "schema" => self.schema = Some(value::schema(name, input, example)?),
            "cache" => self.cache = Some(value::expression(name, input, example)?),
            "jitter" => self.jitter = Some(value::fraction(name, input, example)?),
            "stale_while_revalidate" => {
                self.stale_while_revalidate = Some(value::time(name, input, example, of)?);
            }
            "stale_if_error" => self.stale_if_error = Some(value::time(name, input, example, of)?),
            "refresh_ahead" => self.refresh_ahead = Some(value::fraction(name, input, example)?),
            "idle" => self.idle = Some(value::time(name, input, example, of)?),
            "memory_ttl" => self.memory_ttl = Some(value::time(name, input, example, of)?),
            "negative_ttl" => self.negative_ttl = Some(value::time(name, input, example, of)?),
            "share_err" => self.share_err = Some(value::expression(name, input, example)?),
            "cache_err" => self.cache_err = Some(value::time(name, input, example, of)?),
            "cache_err_if" => self.cache_err_if = Some(value::expression(name, input, example)?),
            "timeout" => self.timeout = Some(value::time(name, input, example, of)?),
            "retry_after" => self.retry_after = Some(value::time(name, input, example, of)?),
            "deadline" => self.deadline = Some(value::time(name, input, example, of)?),
            "or" => self.or = Some(value::expression(name, input, example)?),
            "lock" => self.lock = Some(value::expression(name, input, example)?),
            "max_items" => self.max_items = Some(value::count(name, input, example, NO_ITEM)?),
            "max_batch_size" => {
                self.max_batch_size = Some(value::count(name, input, example, NO_ELEMENT)?);
            }
            "unless" => self.unless = Some(value::expression(name, input, example)?),
            "if" => self.condition = Some(value::expression(name, input, example)?),
            "when" => self.when = Some(value::expression(name, input, example)?),
            "local" => self.local = Some(value::flag(name, input, example)?),
            "spawn" => self.spawn = Some(value::flag(name, input, example)?),
            "takeover_after" => self.takeover_after = Some(value::time(name, input, example, of)?),
            "detached" => self.detached = Some(value::flag(name, input, example)?),
            "shared_key" => self.shared_key = Some(value::flag(name, input, example)?),
            "companions" => self.companions = Some(value::flag(name, input, example)?),
            "on" => self.on_ok = Some(value::on_ok(name, input)?),
            "per" | "rate" | "burst" | "cost" | "failure" => self.limits.parse_value(name, input, example)?,
            "soft" => self.soft = Some(value::soft(name, input, example)?),
            _ => self.krate = Some(value::path(name, input, example)?),
        }
        Ok(())
    }
}

/// So that one mistake does not hide the next option's.
fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let next: syn::Result<proc_macro2::TokenTree> = input.parse();
        if next.is_err() {
            return;
        }
    }
}

/// Where a missing option is reported.
pub(crate) fn attribute_span() -> Span {
    Span::call_site()
}
