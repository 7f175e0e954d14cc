//! What `larder` is called in the crate that uses the macros, as its `Cargo.toml` has it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The name, where it is another one: `shop_cache = { package = "larder", … }`. `None` where there is no doubt that it
/// is `larder`, and where it cannot be told.
pub(crate) fn renamed() -> Option<String> {
    let folder = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let manifest = fs::read_to_string(Path::new(&folder).join("Cargo.toml")).ok()?;
    let own = Dependencies::read(&manifest);
    let inherited = Path::new(&folder).ancestors().skip(1).find_map(|folder| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        manifest.contains("[workspace").then(|| Dependencies::read(&manifest))
    });
    own.name(inherited.as_ref())
}

/// The dependencies of a manifest.
#[derive(Default)]
struct Dependencies {
    all: BTreeSet<String>,
    /// Those that are `larder` under another name.
    renamed: BTreeSet<String>,
}

impl Dependencies {
    /// Looks at lines alone: that is how dependencies are written, if not how they could be.
    fn read(manifest: &str) -> Self {
        let mut found = Self::default();
        let mut table = String::new();
        for line in manifest.lines().map(|line| without_comment(line).trim()) {
            if let Some(header) = line.strip_prefix('[') {
                table = header.trim_end_matches(']').to_owned();
                if let Some((_, name)) = table.rsplit_once("dependencies.") {
                    found.all.insert(unquoted(name));
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if let Some((_, name)) = table.rsplit_once("dependencies.") {
                if key.trim() == "package" && unquoted(value) == "larder" {
                    found.renamed.insert(unquoted(name));
                }
            } else if table.ends_with("dependencies") {
                // `name.workspace = true`
                let name = unquoted(key.split('.').next().unwrap_or_default());
                let value: String = value.split_whitespace().collect();
                if value.replace('\'', "\"").contains("package=\"larder\"") && name != "larder" {
                    found.renamed.insert(name.clone());
                }
                found.all.insert(name);
            }
        }
        found
    }

    fn name(&self, inherited: Option<&Self>) -> Option<String> {
        let renamed = |dependencies: &Self| -> Vec<String> {
            dependencies.renamed.intersection(&self.all).cloned().collect()
        };
        let mut names = renamed(self);
        names.extend(inherited.map(renamed).unwrap_or_default());
        match names.as_slice() {
            [name] if !self.all.contains("larder") => Some(name.replace('-', "_")),
            _ => None,
        }
    }
}

/// What stands in front of a `#` that is in no text.
fn without_comment(line: &str) -> &str {
    let mut text = None;
    let comment = line.find(|character| {
        match (text, character) {
            (None, '#') => return true,
            (None, '"' | '\'') => text = Some(character),
            (Some(quote), _) if character == quote => text = None,
            _ => {}
        }
        false
    });
    &line[..comment.unwrap_or(line.len())]
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(manifest: &str, workspace: &str) -> Option<String> {
        Dependencies::read(manifest).name(Some(&Dependencies::read(workspace)))
    }

    #[test]
    fn another_name_is_found() {
        for manifest in [
            "[dependencies]\nshop-cache = { version = \"1\", package = \"larder\" }\n",
            "[target.'cfg(unix)'.dependencies]\n\"shop-cache\" = {package=\"larder\"}\n",
            "[dependencies.shop-cache]\nversion = \"1\"\npackage = \"larder\"\n[features]\nlarder = []\n",
            "[dependencies] # all\n[dependencies.shop-cache]\nversion = \"1\"\npackage = \"larder\" # \"x\"\n",
            "[dependencies] # all\nshop-cache = { version = \"1\", package = 'larder' } # x\n",
            "[dependencies]\nshop-cache = { path = \"a#b\", package = \"larder\" }\n# larder = \"1\"\n",
        ] {
            assert_eq!(name(manifest, "").as_deref(), Some("shop_cache"), "{manifest}");
        }
    }

    #[test]
    fn a_workspace_may_have_renamed_it() {
        let workspace = "[workspace.dependencies]\nshop-cache = { package = \"larder\" }\n";
        for manifest in [
            "[dependencies]\nshop-cache.workspace = true\n",
            "[dependencies]\nshop-cache = { workspace = true }\n",
            "[dependencies.shop-cache]\nworkspace = true\n",
        ] {
            assert_eq!(name(manifest, workspace).as_deref(), Some("shop_cache"), "{manifest}");
        }
        assert_eq!(name("[dependencies]\nserde = \"1\"\n", workspace), None);
    }

    #[test]
    fn its_own_name_wins() {
        for manifest in [
            "[dependencies]\nlarder = \"1\"\n",
            "[dependencies]\nlarder.workspace = true\nold = { package = \"larder\", version = \"0.1\" }\n",
            "[dependencies]\nlarder = { package = \"larder\" }\n",
            "[dependencies]\na = { package = \"larder\" }\nb = { package = \"larder\" }\n",
            "",
        ] {
            assert_eq!(name(manifest, ""), None, "{manifest}");
        }
    }
}
