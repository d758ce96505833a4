//! A simulated Escavador: the routes of the vendor's v2 API that juscache uses, over invented processes.
//!
//! Used by `juscache demo`, by `juscache sandbox` and by every test of the gateway. A process is a pure function of the seed
//! and its number; what a test changes about it ([`Control`]) is remembered on top. Behaviour and shapes follow the vendor's
//! documentation, and third parties' measurements where it is silent; what nobody knows (prices, the 429's headers, whether
//! check digits are looked at) is a setting.
//!
//! Served: process, movimentacoes, envolvidos, status-atualizacao, solicitar-atualizacao, monitors of processes, the callback log and v1
//! quantidade-creditos; callbacks are sent to an address once one is set. Not served: monitors of names, documents, search, batch
//! updates. The switches for people are under `/__sandbox`.
//!
//! On the same port answers a simulated DataJud, the free second vendor, over the same processes: see `datajud`.

mod answer;
mod callback;
mod control;
mod court;
mod datajud;
mod dice;
mod fault;
mod monitor;
mod monitor_routes;
mod number;
mod numbered;
mod page;
mod phrases;
mod process;
mod reply;
mod route;
mod serve;
mod server;
mod settings;
mod state;
mod switches;
#[cfg(test)]
mod tests;
mod update;
mod wire;

pub use callback::SeenCallback;
pub use control::{Call, Control, Outage};
pub use datajud::SearchFault;
pub use fault::Fault;
pub use monitor::{MonitorStatus, SeenMonitor};
pub use number::demo_numbers;
pub use process::{MovementStyle, ProcessShape};
pub use route::Endpoint;
pub use server::Sandbox;
pub use settings::{CallbackSandbox, DatajudSandbox, Known, Prices, SandboxSettings, TokenStyle};
pub use update::{UpdateOutcome, UpdatePlan};
