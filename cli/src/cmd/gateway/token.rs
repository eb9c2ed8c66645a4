//! `packmule gateway token`: the word that opens the operators' side.

use packmule_gateway::founding::endpoint;
use packmule_gateway::token::{Token, TokenError};
use serde_json::json;

use crate::args::Globals;
use crate::fault::Fault;
use crate::ui::output::Report;

/// Prints it; whoever can read the home may know it. Made here if the gateway never ran.
pub(super) fn run(globals: &Globals) -> Result<Report, Fault> {
    let home = crate::home::open(globals)?;
    let token = Token::of(home.dir())?;
    let base = endpoint(&home).filter(|url| url.starts_with("http"));
    let page = base.map(|url| format!("{}/operator", url.trim_end_matches('/')));
    let json = json!({ "token": token.text(), "page": page });
    Ok(Report::new(token.text(), json))
}

impl From<TokenError> for Fault {
    fn from(err: TokenError) -> Self {
        Self::damaged(err.to_string())
            .hint("remove the file and restart the gateway to have a new token made")
    }
}
