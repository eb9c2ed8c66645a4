//! Traces to an OpenTelemetry collector, by OTLP over HTTP with protobuf bodies.
//!
//! Called by the office in builds with the feature `otel`. Spans are batched and sent by a thread
//! of the SDK, through our own HTTP client (so that TLS is as everywhere else here). What can go
//! wrong: see [`super`]; a collector that does not answer is tried with the next batch.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{Span as _, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use packmule_http::client::Caller;
use packmule_http::hyper::body::Bytes;
use packmule_http::hyper::{Request, Response};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::config;

/// Where a collector takes traces, below its address.
const PATH: &str = "/v1/traces";
/// The most that a collector's answer may have, in bytes.
const ANSWER: usize = 64 << 10;
/// A collector has so long to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends spans to the collector that is configured, if one is.
#[derive(Debug)]
pub(crate) struct Traces(Option<Sender>);

#[derive(Debug)]
struct Sender {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A part of the work on a message.
#[derive(Debug, Default)]
pub(crate) struct Span(Option<Open>);

#[derive(Debug)]
struct Open {
    tracer: SdkTracer,
    context: Context,
}

impl Traces {
    /// As configured. In a runtime, whose client posts what the SDK's thread hands over.
    pub(crate) fn start(settings: &config::Traces) -> Self {
        Self(settings.endpoint.as_deref().and_then(|endpoint| {
            let url = format!("{}{PATH}", endpoint.trim_end_matches('/'));
            let client = Client {
                caller: Arc::new(Caller::new(&url, Arc::default(), ANSWER)?),
                runtime: Handle::current(),
            };
            let exporter = SpanExporter::builder()
                .with_http()
                .with_http_client(client)
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(url)
                .build()
                .ok()?;
            let what = Resource::builder()
                .with_service_name("packmule-gateway")
                .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                .build();
            let provider = SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_sampler(Sampler::TraceIdRatioBased(settings.share))
                .with_resource(what)
                .build();
            let tracer = provider.tracer("packmule-gateway");
            Some(Sender { provider, tracer })
        }))
    }

    /// A message of so many bytes came by this door.
    pub(crate) fn message(&self, door: &'static str, bytes: usize) -> Span {
        Span(self.0.as_ref().map(|sender| {
            let mut span = sender.tracer.start_with_context("message", &Context::new());
            span.set_attribute(KeyValue::new("packmule.door", door));
            let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
            span.set_attribute(KeyValue::new("packmule.bytes", bytes));
            Open {
                tracer: sender.tracer.clone(),
                context: Context::new().with_span(span),
            }
        }))
    }

    /// Sends what is left.
    pub(crate) async fn end(&self) {
        let Some(sender) = &self.0 else { return };
        let provider = sender.provider.clone();
        // It waits for the thread, which waits for our client, which needs the runtime.
        let _ = tokio::task::spawn_blocking(move || provider.shutdown()).await;
    }
}

impl Span {
    /// A part of it, which ends when it is dropped.
    pub(crate) fn part(&self, name: &'static str) -> Self {
        Self(self.0.as_ref().map(|open| {
            let span = open.tracer.start_with_context(name, &open.context);
            Open {
                tracer: open.tracer.clone(),
                context: Context::new().with_span(span),
            }
        }))
    }

    /// It is over before it would be dropped.
    pub(crate) fn end(self) {}

    /// A fact about it: never anything that strangers wrote.
    pub(crate) fn fact(&self, name: &'static str, value: &'static str) {
        if let Some(open) = &self.0 {
            open.context
                .span()
                .set_attribute(KeyValue::new(name, value));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.context.span().end();
    }
}

/// Our client, in the SDK's words. Its thread knows no runtime: the request runs in ours.
#[derive(Debug)]
struct Client {
    caller: Arc<Caller>,
    runtime: Handle,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let caller = Arc::clone(&self.caller);
        let posted = self.runtime.spawn(async move {
            let post = caller.post("application/x-protobuf", &head.headers, body);
            timeout(PATIENCE, post).await
        });
        let reply = posted.await??.map_err(|fault| fault.to_string())?;
        let mut answer = Response::new(Bytes::from(reply.body));
        *answer.status_mut() = reply.status;
        Ok(answer)
    }
}
