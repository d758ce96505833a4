//! The columns that typed queries read; the tables' whole definition is in `migrations/`.

diesel::table! {
    process_status_cache (cnj) {
        cnj -> Text,
        cache_valid_until -> Timestamptz,
        last_api_sync -> Timestamptz,
        verified_at -> Nullable<Timestamptz>,
        absent_since -> Nullable<Timestamptz>,
        absent_until -> Nullable<Timestamptz>,
        snapshot -> Nullable<Binary>,
    }
}
