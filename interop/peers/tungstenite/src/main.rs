//! tungstenite, in both roles. README.md of interop has the protocol.

use serde_json::{Value, json};
use std::io::BufRead;
use std::net::{TcpListener, TcpStream};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::{HeaderValue, StatusCode};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::protocol::{WebSocket, WebSocketConfig};
use tungstenite::{Bytes, Error, HandshakeError, Message};
use url::Url;

const PROTOCOL: &str = "interop.b";
const PROTOCOL_HEADER: &str = "Sec-WebSocket-Protocol";
const MAX_BYTES: usize = 32 * 1024 * 1024;

#[derive(Default)]
struct Settings {
    id: String,
    action: String,
    code: Option<u16>,
    reason: String,
    is_refused: bool,
}

fn settings(text: &str) -> Settings {
    let base = Url::parse("ws://localhost").unwrap();
    let url = base.join(text).unwrap();
    let mut found = Settings {
        is_refused: url.path() == "/401",
        ..Settings::default()
    };
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "case" => found.id = value.into(),
            "do" => found.action = value.into(),
            "code" => found.code = value.parse().ok(),
            "reason" => found.reason = value.into(),
            _ => {}
        }
    }
    found
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES))
}

fn send_fragments(socket: &mut WebSocket<TcpStream>, kind: Data, data: Bytes) -> Result<(), Error> {
    let parts: Vec<_> = data.chunks(data.len().div_ceil(3)).collect();
    for (at, part) in parts.iter().enumerate() {
        let opcode = if at == 0 { kind } else { Data::Continue };
        let is_last = at == parts.len() - 1;
        let frame = Frame::message(part.to_vec(), OpCode::Data(opcode), is_last);
        socket.send(Message::Frame(frame))?;
    }
    Ok(())
}

/// Gives what is reported at the end.
fn exchange(socket: &mut WebSocket<TcpStream>, wanted: &Settings, protocol: &str) -> Result<Value, Error> {
    let is_fragmented = wanted.action == "fragments";
    match wanted.action.as_str() {
        "ping" => socket.send(Message::Ping("peer".into()))?,
        "close" => socket.close(wanted.code.map(|code| CloseFrame {
            code: code.into(),
            reason: wanted.reason.as_str().into(),
        }))?,
        _ => {}
    }
    let mut report = json!({ "open": true, "protocol": protocol });
    loop {
        match socket.read() {
            Ok(Message::Text(text)) if is_fragmented => send_fragments(socket, Data::Text, text.into())?,
            Ok(Message::Binary(bytes)) if is_fragmented => send_fragments(socket, Data::Binary, bytes)?,
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message)?,
            Ok(Message::Pong(data)) => {
                socket.send(Message::text(format!("pong {}", String::from_utf8_lossy(&data))))?;
            }
            Ok(Message::Close(frame)) => {
                let code = frame.as_ref().map_or(CloseCode::Status, |close| close.code);
                report["closeCode"] = u16::from(code).into();
                report["closeReason"] = frame.map_or(String::new(), |close| close.reason.to_string()).into();
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return Ok(report),
            Err(error) => return Err(error),
        }
    }
}

fn print(id: &str, result: Result<Value, Error>) {
    let mut report = result.unwrap_or_else(|error| json!({ "error": error.to_string() }));
    report["case"] = id.into();
    println!("{report}");
}

fn serve(stream: TcpStream) {
    let mut wanted = Settings::default();
    let mut protocol = "";
    let answer = |request: &Request, mut response: Response| {
        wanted = settings(&request.uri().to_string());
        if wanted.is_refused {
            let mut refusal = ErrorResponse::new(Some("who are you?".into()));
            *refusal.status_mut() = StatusCode::UNAUTHORIZED;
            return Err(refusal);
        }
        let offered = request.headers().get(PROTOCOL_HEADER);
        if offered.is_some_and(|names| names.to_str().unwrap_or("").contains(PROTOCOL)) {
            protocol = PROTOCOL;
            response.headers_mut().insert(PROTOCOL_HEADER, HeaderValue::from_static(PROTOCOL));
        }
        Ok(response)
    };
    if let Ok(mut socket) = tungstenite::accept_hdr_with_config(stream, answer, Some(config())) {
        let result = exchange(&mut socket, &wanted, protocol);
        print(&wanted.id, result);
    }
}

fn run(spec: &Value) -> Result<Value, Error> {
    let text = spec["url"].as_str().unwrap();
    let url = Url::parse(text).unwrap();
    let mut request = text.into_client_request()?;
    let names: Vec<_> = spec["protocols"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    if !names.is_empty() {
        request.headers_mut().insert(PROTOCOL_HEADER, HeaderValue::from_str(&names.join(", ")).unwrap());
    }
    let stream = TcpStream::connect(("127.0.0.1", url.port().unwrap()))?;
    match tungstenite::client::client_with_config(request, stream, Some(config())) {
        Ok((mut socket, response)) => {
            let protocol = response.headers().get(PROTOCOL_HEADER).and_then(|name| name.to_str().ok());
            exchange(&mut socket, &settings(text), protocol.unwrap_or(""))
        }
        Err(HandshakeError::Failure(Error::Http(response))) => {
            Ok(json!({ "open": false, "status": response.status().as_u16() }))
        }
        Err(HandshakeError::Failure(error)) => Err(error),
        Err(HandshakeError::Interrupted(_)) => unreachable!("the stream blocks"),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments[1] == "serve" {
        let configs: Value = serde_json::from_str(&arguments[2]).unwrap();
        for config in configs.as_array().unwrap() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            println!("{}", json!({ "listening": config["name"], "port": port }));
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    std::thread::spawn(move || serve(stream));
                }
            });
        }
        loop {
            std::thread::park();
        }
    }
    for line in std::io::stdin().lock().lines() {
        let spec: Value = serde_json::from_str(&line.unwrap()).unwrap();
        print(spec["case"].as_str().unwrap(), run(&spec));
    }
}
