//! The five fields that share one of passwd's: full name, room, phones, other.

/// The arguments that set them, in their order.
pub(super) const FIELDS: [&str; 5] = ["fullname", "roomnumber", "workphone", "homephone", "other"];

/// The fields of a line; those that are missing are empty.
pub(super) fn split(gecos: &str) -> [String; 5] {
    let mut parts = gecos.splitn(5, ',');
    std::array::from_fn(|_| parts.next().unwrap_or_default().to_owned())
}

/// The fields as one, without empty ones at the end.
pub(super) fn join(fields: &[String; 5]) -> String {
    fields.join(",").trim_end_matches(',').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_split_and_join() {
        let fields = split("Ann B,12,,3");
        assert_eq!(fields, ["Ann B", "12", "", "3", ""]);
        assert_eq!(join(&fields), "Ann B,12,,3");
        assert_eq!(join(&split("games")), "games");
    }
}
