//! What a query may do.

use rusqlite::hooks::AuthAction;

/// Functions without effect, whose results are no longer than the limit of a value.
const FUNCTIONS: &[&str] = &[
    // Of mail.
    "mail_status",
    "ts",
    // Aggregates and windows.
    "avg",
    "count",
    "group_concat",
    "max",
    "min",
    "string_agg",
    "sum",
    "total",
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    // Values.
    "abs",
    "coalesce",
    "if",
    "ifnull",
    "iif",
    "likelihood",
    "likely",
    "max",
    "min",
    "nullif",
    "random",
    "round",
    "sign",
    "typeof",
    "unlikely",
    // Texts.
    "char",
    "concat",
    "concat_ws",
    "format",
    "glob",
    "hex",
    "instr",
    "length",
    "like",
    "lower",
    "ltrim",
    "octet_length",
    "printf",
    "quote",
    "replace",
    "rtrim",
    "substr",
    "substring",
    "trim",
    "unhex",
    "unicode",
    "upper",
    // Times.
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
    // JSON.
    "->",
    "->>",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    // Numbers.
    "acos",
    "asin",
    "atan",
    "atan2",
    "ceil",
    "ceiling",
    "cos",
    "degrees",
    "exp",
    "floor",
    "ln",
    "log",
    "log10",
    "log2",
    "mod",
    "pi",
    "pow",
    "power",
    "radians",
    "sin",
    "sqrt",
    "tan",
    "trunc",
    // Of SQLite.
    "sqlite_version",
];

/// Tables that are no tables of the trail.
const OTHERS: &[&str] = &["json_each", "json_tree", "sqlite_master", "sqlite_schema"];

/// Whether an action is allowed; if not, what it is, for people.
pub(super) fn judge(action: &AuthAction<'_>, tables: &[String]) -> Result<(), String> {
    match action {
        AuthAction::Select | AuthAction::Recursive => Ok(()),
        // Rows alone, of which no column is read: the name may be that of a WITH.
        AuthAction::Read { column_name: "", .. } => Ok(()),
        AuthAction::Read { table_name, .. } => {
            let known = tables.iter().map(String::as_str).chain(OTHERS.iter().copied());
            one_of(known, table_name).ok_or_else(|| format!("reading {table_name}"))
        }
        AuthAction::Function { function_name } => {
            one_of(FUNCTIONS.iter().copied(), function_name).ok_or_else(|| format!("the function {function_name}"))
        }
        AuthAction::Insert { .. } => Err("INSERT".to_owned()),
        AuthAction::Update { .. } => Err("UPDATE".to_owned()),
        AuthAction::Delete { .. } => Err("DELETE".to_owned()),
        AuthAction::Pragma { .. } => Err("PRAGMA".to_owned()),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Err("ATTACH, DETACH or VACUUM".to_owned()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Err("a transaction".to_owned()),
        _ => Err("a change of the database".to_owned()),
    }
}

fn one_of<'a>(mut known: impl Iterator<Item = &'a str>, name: &str) -> Option<()> {
    known.any(|one| one.eq_ignore_ascii_case(name)).then_some(())
}
