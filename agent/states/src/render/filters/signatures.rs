//! Which arguments each filter takes, and Python's words for a call that does not fit.

use minijinja::Error;

use crate::render::jinja::args::Args;
use crate::render::python::fault;

/// Filters with their function in Jinja or Salt and its parameters, the value first, after what
/// Jinja itself hands over; `=` marks those with a default. Not here: those that take anything.
const TABLE: &[(&str, &str)] = &[
    ("append_dict_key_value", "append_dict_key_value in_dict keys value delimiter= ordered_dict="),
    ("attr", "do_attr environment obj name"),
    ("avg", "lst_avg lst"),
    ("base64_decode", "base64_b64decode instr"),
    ("base64_encode", "base64_b64encode instr"),
    ("batch", "do_batch value linecount fill_with="),
    ("capitalize", "do_capitalize s"),
    ("center", "do_center value width="),
    ("check_whitelist_blacklist", "check_whitelist_blacklist value whitelist= blacklist="),
    ("compare_dicts", "compare_dicts old= new="),
    ("compare_lists", "compare_lists old= new="),
    ("contains_whitespace", "contains_whitespace text"),
    ("d", "do_default value default_value= boolean="),
    ("date_format", "strftime date= format="),
    ("default", "do_default value default_value= boolean="),
    ("dict_to_sls_yaml_params", "dict_to_sls_yaml_params value flow_style="),
    ("dictsort", "do_dictsort value case_sensitive= by= reverse="),
    ("difference", "difference lst1 lst2"),
    ("dns_check", "dns_check addr port safe= ipv6="),
    ("exactly_n_true", "exactly_n iterable amount="),
    ("exactly_one_true", "exactly_one iterable"),
    ("extend_dict_key_value", "extend_dict_key_value in_dict keys value delimiter= ordered_dict="),
    ("file_hashsum", "get_hash path form= chunk_size="),
    ("filesizeformat", "do_filesizeformat value binary="),
    ("filter_by_networks", "filter_by_networks values networks"),
    ("first", "sync_do_first environment seq"),
    ("flatten", "flatten data levels= preserve_nulls= _ids="),
    ("float", "do_float value default="),
    ("forceescape", "do_forceescape value"),
    ("from_entries", "from_entries entries"),
    ("gen_mac", "gen_mac prefix="),
    ("get_uid", "get_uid user="),
    ("groupby", "sync_do_groupby environment value attribute default= case_sensitive="),
    ("hmac", "hmac_signature string shared_secret challenge_hmac"),
    ("hmac_compute", "hmac_compute string shared_secret"),
    ("human_to_bytes", "human_to_bytes size default_unit= handle_metric="),
    ("indent", "do_indent s width= first= blank="),
    ("int", "do_int value default= base="),
    ("intersect", "intersect lst1 lst2"),
    ("ip_host", "ip_host value options= version="),
    ("ipaddr", "ipaddr value options="),
    ("ipv4", "ipv4 value options="),
    ("ipv6", "ipv6 value options="),
    ("ipwrap", "ipwrap data"),
    ("is_bin_file", "is_binary path"),
    ("is_empty", "is_empty filename"),
    ("is_hex", "is_hex value"),
    ("is_ip", "is_ip_filter ip_addr options="),
    ("is_ipv4", "is_ipv4_filter ip_addr options="),
    ("is_ipv6", "is_ipv6_filter ip_addr options="),
    ("is_iter", "is_iter thing ignore="),
    ("is_list", "is_list value"),
    ("is_text_file", "is_text fp_ blocksize="),
    ("items", "do_items value"),
    ("join", "sync_do_join eval_ctx value d= attribute="),
    ("json", "format_json value sort_keys= indent="),
    ("json_decode_dict", JSON_DICT),
    ("json_decode_list", JSON_LIST),
    ("json_encode_dict", JSON_DICT),
    ("json_encode_list", JSON_LIST),
    ("json_query", "json_query data expr"),
    ("last", "do_last environment seq"),
    ("list", "sync_do_list value"),
    ("list_files", "list_files directory"),
    ("load_json", "load_json value"),
    ("load_text", "load_text value"),
    ("load_yaml", "load_yaml value"),
    ("lower", "do_lower s"),
    ("mac_str_to_bytes", "mac_str_to_bytes mac_str"),
    ("max", "lst_max obj"),
    ("md5", "md5_digest instr"),
    ("min", "lst_min obj"),
    ("mysql_to_dict", "mysql_to_dict data key"),
    ("network_hosts", "network_hosts value options= version="),
    ("network_size", "network_size value options= version="),
    ("pprint", "do_pprint value"),
    ("python", "format_python value"),
    ("quote", "quote txt"),
    ("rand_str", "random_hash size= hash_type="),
    ("random", "do_random context seq"),
    ("random_hash", "random_hash size= hash_type="),
    ("random_sample", "sample value size seed="),
    ("random_shuffle", "shuffle value seed="),
    ("random_str", "random size="),
    ("regex_escape", "regex_escape value"),
    ("regex_match", "regex_match txt rgx ignorecase= multiline="),
    ("regex_replace", "regex_replace txt rgx val ignorecase= multiline="),
    ("regex_search", "regex_search txt rgx ignorecase= multiline="),
    ("replace", "do_replace eval_ctx s old new count="),
    ("reverse", "do_reverse value"),
    ("round", "do_round value precision= method="),
    ("safe", "do_mark_safe value"),
    ("sequence", "ensure_sequence_filter data"),
    ("set_dict_key_value", "set_dict_key_value in_dict keys value delimiter= ordered_dict="),
    ("sha1", "sha1_digest instr"),
    ("sha256", "sha256_digest instr"),
    ("sha512", "sha512_digest instr"),
    ("skip", "skip_filter data"),
    ("slice", "sync_do_slice value slices fill_with="),
    ("sort", "do_sort environment value reverse= case_sensitive= attribute="),
    ("sorted_ignorecase", "sorted_ignorecase to_sort"),
    ("str_to_num", "to_num text"),
    ("strftime", "strftime date= format="),
    ("striptags", "do_striptags value"),
    ("substring_in_list", "substr_in_list string_to_search_for list_to_search"),
    ("sum", "sync_do_sum environment iterable attribute= start="),
    ("symmetric_difference", "symmetric_difference lst1 lst2"),
    ("title", "do_title s"),
    ("to_bool", "to_bool val"),
    ("to_bytes", "to_bytes s encoding= errors="),
    ("to_camelcase", "snake_to_camel_case snake_input uppercamel="),
    ("to_entries", "to_entries data"),
    ("to_num", "to_num text"),
    ("to_snake_case", "camel_to_snake_case camel_input"),
    ("traverse", "traverse_dict_and_list data key default= delimiter="),
    ("trim", "do_trim value chars="),
    ("truncate", "do_truncate env s length= killwords= end= leeway="),
    ("union", "union lst1 lst2"),
    ("unique", "unique values"),
    ("update_dict_key_value", "update_dict_key_value in_dict keys value delimiter= ordered_dict="),
    ("upper", "do_upper s"),
    ("urlencode", "do_urlencode value"),
    ("urlize", "do_urlize eval_ctx value trim_url_limit= nofollow= target= rel= extra_schemes="),
    ("uuid", "uuid_ val"),
    ("which", "which exe="),
    ("wordcount", "do_wordcount s"),
    (
        "wordwrap",
        "do_wordwrap environment s width= break_long_words= wrapstring= break_on_hyphens=",
    ),
    ("xml", "format_xml value"),
    ("xmlattr", "do_xmlattr eval_ctx d autospace="),
    ("yaml", "format_yaml value flow_style="),
    ("yaml_dquote", "yaml_dquote text"),
    ("yaml_encode", "yaml_encode data"),
    ("yaml_squote", "yaml_squote text"),
];

const JSON_DICT: &str =
    "encode_dict data encoding= errors= keep= preserve_dict_class= preserve_tuples=";
const JSON_LIST: &str =
    "encode_list data encoding= errors= keep= preserve_dict_class= preserve_tuples=";

/// Whether a filter can be called like this.
pub(super) fn check(filter: &str, args: &Args) -> Result<(), Error> {
    let Ok(at) = TABLE.binary_search_by_key(&filter, |(name, _)| name) else { return Ok(()) };
    let mut words = TABLE[at].1.split(' ');
    let function = words.next().unwrap_or_default();
    let params: Vec<&str> = words.collect();
    let handed = params.iter().take_while(|name| HANDED.contains(name)).count();
    let given = handed + 1 + args.plain.len();
    match misfit(&params, given, args) {
        Some(words) => Err(fault(format!("{function}() {words}"))),
        None => Ok(()),
    }
}

/// What Jinja hands to a filter before the value.
const HANDED: [&str; 4] = ["environment", "eval_ctx", "env", "context"];

/// What is wrong with a call, in the order in which Python finds it.
fn misfit(params: &[&str], given: usize, args: &Args) -> Option<String> {
    let name = |param: &&str| param.trim_end_matches('=').to_owned();
    for (named, _) in &args.named {
        match params.iter().position(|param| name(param) == **named) {
            None => return Some(format!("got an unexpected keyword argument '{named}'")),
            Some(at) if at < given => {
                return Some(format!("got multiple values for argument '{named}'"));
            }
            Some(_) => {}
        }
    }
    let needed = params.iter().filter(|param| !param.ends_with('=')).count();
    if given > params.len() {
        let takes = match needed == params.len() {
            true => format!("{needed} positional argument{}", if needed == 1 { "" } else { "s" }),
            false => format!("from {needed} to {} positional arguments", params.len()),
        };
        return Some(format!("takes {takes} but {given} were given"));
    }
    let is_named = |param: &str| args.named.iter().any(|(named, _)| **named == *param);
    let missing: Vec<String> = params[given.min(needed)..needed]
        .iter()
        .filter(|param| !is_named(param))
        .map(|param| format!("'{param}'"))
        .collect();
    let listed = match missing.as_slice() {
        [] => return None,
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [some @ .., last] => format!("{}, and {last}", some.join(", ")),
    };
    let s = if missing.len() == 1 { "" } else { "s" };
    Some(format!("missing {} required positional argument{s}: {listed}", missing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched() {
        assert!(TABLE.is_sorted_by_key(|(name, _)| name));
    }
}
