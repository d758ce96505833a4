//! Messages to work. Nodes wait for each other in these: longer than a read.

use super::messages::{
    AddReads, BeginRun, Claim, Claimed, Clean, EndRun, Finish, Lead, Outlook, ReadExpiring, ReadOutlook, ReadRuns,
    ReadStanding, RequestRun, Requested, Resign, Run, Standing,
};
use super::queries;

answer!(Lead => Option<u64>, store_timeout, queries::lead);
answer!(Resign => (), store_timeout, queries::resign);
answer!(BeginRun => Option<Run>, store_timeout, queries::begin_run);
answer!(ReadOutlook => Outlook, store_timeout, queries::read_outlook);
answer!(ReadExpiring => Outlook, store_timeout, queries::read_expiring);
answer!(Claim => Claimed, store_timeout, queries::claim);
answer!(Finish => bool, store_timeout, queries::finish);
answer!(EndRun => Option<Run>, store_timeout, queries::end_run);
answer!(RequestRun => Requested, store_timeout, queries::request_run);
answer!(ReadStanding => Standing, store_timeout, queries::read_standing);
answer!(ReadRuns => Vec<Run>, store_timeout, queries::read_runs);
answer!(Clean => u64, store_timeout, queries::clean);
answer!(AddReads => (), store_timeout, queries::add_reads);
