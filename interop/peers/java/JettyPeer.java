import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.ExtensionConfig;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.api.exceptions.UpgradeException;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/** Jetty, in both roles. */
final class JettyPeer implements Program.Library {
  private WebSocketClient client;

  private static String extension(Map<String, Object> deflate) {
    StringBuilder text = new StringBuilder("permessage-deflate");
    if (Program.isSet(deflate, "serverNoContextTakeover")) text.append(";server_no_context_takeover");
    if (Program.isSet(deflate, "clientNoContextTakeover")) text.append(";client_no_context_takeover");
    if (deflate.get("serverMaxWindowBits") instanceof Number bits) text.append(";server_max_window_bits=" + bits);
    if (deflate.get("clientMaxWindowBits") instanceof Number bits) text.append(";client_max_window_bits=" + bits);
    return text.toString();
  }

  @Override
  public int serve(Map<String, Object> deflate) throws Exception {
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    server.setHandler(
        WebSocketUpgradeHandler.from(
            server,
            container -> {
              container.setMaxTextMessageSize(Program.MAX_BYTES);
              container.setMaxBinaryMessageSize(Program.MAX_BYTES);
              container.setMaxFrameSize(Program.MAX_BYTES);
              container.addMapping(
                  "/401",
                  (request, response, callback) -> {
                    Response.writeError(request, response, callback, 401);
                    return null;
                  });
              container.addMapping(
                  "/echo",
                  (request, response, callback) -> {
                    Program.Settings wanted = Program.Settings.of(request.getHttpURI().toURI());
                    if (request.getSubProtocols().contains(Program.PROTOCOL)) {
                      response.setAcceptedSubProtocol(Program.PROTOCOL);
                    }
                    boolean isOffered =
                        request.getExtensions().stream()
                            .anyMatch(offered -> offered.getName().equals("permessage-deflate"));
                    if (deflate == null || !isOffered) response.setExtensions(List.of());
                    else if (!deflate.isEmpty()) {
                      response.setExtensions(List.of(ExtensionConfig.parse(extension(deflate))));
                    }
                    Echo echo = new Echo(wanted);
                    echo.result.thenAccept(fields -> Program.report(wanted.id(), fields));
                    return echo;
                  });
            }));
    server.start();
    return connector.getLocalPort();
  }

  @Override
  public CompletableFuture<Map<String, Object>> run(
      URI uri, String[] protocols, Map<String, Object> deflate) throws Exception {
    if (client == null) {
      client = new WebSocketClient();
      client.setMaxTextMessageSize(Program.MAX_BYTES);
      client.setMaxBinaryMessageSize(Program.MAX_BYTES);
      client.setMaxFrameSize(Program.MAX_BYTES);
      client.start();
    }
    ClientUpgradeRequest request = new ClientUpgradeRequest();
    request.setSubProtocols(protocols);
    if (deflate != null) request.addExtensions(extension(deflate));
    Echo echo = new Echo(Program.Settings.of(uri));
    return client
        .connect(echo, uri, request)
        .thenCompose(session -> echo.result)
        .exceptionally(
            error -> {
              Throwable cause = error instanceof CompletionException ? error.getCause() : error;
              if (cause instanceof UpgradeException refusal) {
                return Program.refused(refusal.getResponseStatusCode());
              }
              throw new CompletionException(cause);
            });
  }

  /** Public for Jetty, which calls it by reflection. */
  public static final class Echo implements Session.Listener.AutoDemanding {
    final CompletableFuture<Map<String, Object>> result = new CompletableFuture<>();
    private final Program.Settings wanted;
    private Session session;

    Echo(Program.Settings wanted) {
      this.wanted = wanted;
    }

    @Override
    public void onWebSocketOpen(Session session) {
      this.session = session;
      if (wanted.action().equals("ping")) {
        session.sendPing(ByteBuffer.wrap("peer".getBytes(StandardCharsets.UTF_8)), Callback.NOOP);
      }
      if (wanted.action().equals("close")) {
        int code = wanted.code() == null ? Program.NO_CODE : wanted.code();
        session.close(code, wanted.reason().isEmpty() ? null : wanted.reason(), Callback.NOOP);
      }
    }

    @Override
    public void onWebSocketText(String text) {
      if (wanted.action().equals("fragments")) {
        int third = text.offsetByCodePoints(0, text.codePointCount(0, text.length()) / 3);
        session.sendPartialText(text.substring(0, third), false, Callback.NOOP);
        session.sendPartialText("", false, Callback.NOOP);
        session.sendPartialText(text.substring(third), true, Callback.NOOP);
      } else session.sendText(text, Callback.NOOP);
    }

    @Override
    public void onWebSocketBinary(ByteBuffer bytes, Callback callback) {
      ByteBuffer copy = ByteBuffer.allocate(bytes.remaining()).put(bytes).flip();
      callback.succeed();
      if (wanted.action().equals("fragments")) {
        int third = copy.remaining() / 3;
        session.sendPartialBinary(copy.slice(0, third), false, Callback.NOOP);
        session.sendPartialBinary(ByteBuffer.allocate(0), false, Callback.NOOP);
        session.sendPartialBinary(copy.slice(third, copy.remaining() - third), true, Callback.NOOP);
      } else session.sendBinary(copy, Callback.NOOP);
    }

    @Override
    public void onWebSocketPong(ByteBuffer payload) {
      session.sendText("pong " + StandardCharsets.UTF_8.decode(payload), Callback.NOOP);
    }

    @Override
    public void onWebSocketError(Throwable error) {
      result.complete(Map.of("open", true, "error", String.valueOf(error)));
    }

    @Override
    public void onWebSocketClose(int code, String reason) {
      Map<String, Object> fields =
          Program.opened(session.getUpgradeResponse().getAcceptedSubProtocol());
      fields.put("closeCode", code);
      fields.put("closeReason", reason == null ? "" : reason);
      result.complete(fields);
    }
  }
}
