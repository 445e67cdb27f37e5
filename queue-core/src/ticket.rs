//! Queue tokens and admission tickets.
