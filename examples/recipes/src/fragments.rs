//! Fragments of pages: a template is rendered once, and again when what it shows has changed.
//!
//! A fragment is a cached function like any other. What it reads through the cache covers it: who invalidates a user
//! need not know which fragments show them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use anyhow::{Context as _, Result};
use larder::{cached, invalidate};
use minijinja::{Environment, context};
use serde::{Deserialize, Serialize};

/// A user who is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Their name: text that is escaped by the template.
    pub name: String,
}

/// Templates, and what stands in for a database.
#[derive(Clone)]
pub struct Site {
    templates: Arc<Environment<'static>>,
    users: Arc<Mutex<HashMap<u64, User>>>,
    rendered: Arc<AtomicUsize>,
}

impl Site {
    /// Parses the templates.
    ///
    /// # Errors
    ///
    /// If one of them is wrong.
    pub fn new() -> Result<Self> {
        let mut templates = Environment::new();
        templates.add_template("card.html", "<b>{{ name }}</b>")?;
        templates
            .add_template("page.html", "<main>{% for card in cards %}{{ card|safe }}{% endfor %}</main>")?;
        Ok(Self { templates: Arc::new(templates), users: Arc::default(), rendered: Arc::default() })
    }

    fn render(&self, template: &str, values: minijinja::Value) -> Result<String> {
        self.rendered.fetch_add(1, Relaxed);
        Ok(self.templates.get_template(template)?.render(values)?)
    }
}

/// A user, as the database has them.
///
/// # Errors
///
/// If there is none.
#[cached(ttl = 300, key = "user:<id>", skip(site))]
pub async fn user(site: &Site, id: u64) -> Result<User> {
    let users = site.users.lock().unwrap_or_else(PoisonError::into_inner);
    users.get(&id).cloned().context("there is no such user")
}

/// Changes a user's name.
///
/// # Errors
///
/// None here; a database has some.
#[invalidate("user:<id>")]
pub async fn rename(site: &Site, id: u64, name: &str) -> Result<()> {
    site.users.lock().unwrap_or_else(PoisonError::into_inner).insert(id, User { name: name.to_owned() });
    Ok(())
}

/// The fragment that shows a user. It is rendered again once `user:<id>` is invalidated, which it was made of.
///
/// # Errors
///
/// If there is no such user.
#[cached(ttl = 3_600, key = "fragment:card:<id>", skip(site))]
pub async fn card(site: &Site, id: u64) -> Result<String> {
    let user = user(site, id).await?;
    site.render("card.html", context! { name => user.name })
}

/// A page of fragments: a change of one user renders one fragment anew, and the page around it.
///
/// # Errors
///
/// If one of the users is not there.
pub async fn page(site: &Site, users: &[u64]) -> Result<String> {
    let mut cards = Vec::with_capacity(users.len());
    for id in users {
        cards.push(card(site, *id).await?);
    }
    site.render("page.html", context! { cards })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fragment_is_rendered_again_when_what_it_shows_changes() -> Result<()> {
        let site = Site::new()?;
        rename(&site, 1, "Ada").await?;
        rename(&site, 2, "<Bob>").await?;
        let first = page(&site, &[1, 2]).await?;
        assert_eq!(first, "<main><b>Ada</b><b>&lt;Bob&gt;</b></main>");
        assert_eq!(page(&site, &[1, 2]).await?, first);
        assert_eq!(site.rendered.load(Relaxed), 2 + 2, "two cards, and the page twice");

        rename(&site, 2, "Bob").await?;
        assert_eq!(page(&site, &[1, 2]).await?, "<main><b>Ada</b><b>Bob</b></main>");
        assert_eq!(site.rendered.load(Relaxed), 4 + 2, "one card, and the page");
        Ok(())
    }
}
