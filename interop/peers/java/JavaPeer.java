import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** The client of java.net.http. */
final class JavaPeer implements Program.Library {
  private final HttpClient client = HttpClient.newHttpClient();

  @Override
  public int serve(Map<String, Object> deflate) {
    throw new UnsupportedOperationException();
  }

  @Override
  public CompletableFuture<Map<String, Object>> run(
      URI uri, String[] protocols, Map<String, Object> deflate) {
    Echo echo = new Echo(Program.Settings.of(uri));
    WebSocket.Builder builder = client.newWebSocketBuilder();
    if (protocols.length > 0) {
      builder.subprotocols(protocols[0], Arrays.copyOfRange(protocols, 1, protocols.length));
    }
    return builder
        .buildAsync(uri, echo)
        .thenCompose(socket -> echo.result)
        .exceptionally(
            error -> {
              Throwable cause = error instanceof CompletionException ? error.getCause() : error;
              if (cause instanceof WebSocketHandshakeException refusal) {
                return Program.refused(refusal.getResponse().statusCode());
              }
              throw new CompletionException(cause);
            });
  }

  private static final class Echo implements WebSocket.Listener {
    final CompletableFuture<Map<String, Object>> result = new CompletableFuture<>();
    private final Program.Settings wanted;
    private final StringBuilder text = new StringBuilder();
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    /** It takes one message at a time. */
    private CompletableFuture<WebSocket> sent = CompletableFuture.completedFuture(null);

    Echo(Program.Settings wanted) {
      this.wanted = wanted;
    }

    private void send(Supplier<CompletableFuture<WebSocket>> one) {
      sent = sent.thenCompose(previous -> one.get());
      sent.exceptionally(
          error -> {
            result.completeExceptionally(error);
            return null;
          });
    }

    private boolean isFragmented() {
      return wanted.action().equals("fragments");
    }

    @Override
    public void onOpen(WebSocket socket) {
      if (wanted.action().equals("ping")) {
        send(() -> socket.sendPing(ByteBuffer.wrap("peer".getBytes(StandardCharsets.UTF_8))));
      }
      if (wanted.action().equals("close")) {
        send(() -> socket.sendClose(wanted.code(), wanted.reason()));
      }
      socket.request(1);
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
      text.append(part);
      if (last) {
        String message = text.toString();
        text.setLength(0);
        int third = isFragmented() ? message.offsetByCodePoints(0, message.codePointCount(0, message.length()) / 3) : 0;
        if (isFragmented()) {
          send(() -> socket.sendText(message.substring(0, third), false));
          send(() -> socket.sendText("", false));
        }
        send(() -> socket.sendText(message.substring(third), true));
      }
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
      byte[] chunk = new byte[part.remaining()];
      part.get(chunk);
      bytes.writeBytes(chunk);
      if (last) {
        byte[] message = bytes.toByteArray();
        bytes.reset();
        int third = isFragmented() ? message.length / 3 : 0;
        if (isFragmented()) {
          send(() -> socket.sendBinary(ByteBuffer.wrap(message, 0, third), false));
          send(() -> socket.sendBinary(ByteBuffer.allocate(0), false));
        }
        send(() -> socket.sendBinary(ByteBuffer.wrap(message, third, message.length - third), true));
      }
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket socket, ByteBuffer payload) {
      String data = StandardCharsets.UTF_8.decode(payload).toString();
      send(() -> socket.sendText("pong " + data, true));
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
      Map<String, Object> fields = Program.opened(socket.getSubprotocol());
      fields.put("closeCode", code);
      fields.put("closeReason", reason);
      result.complete(fields);
      return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
      result.completeExceptionally(error);
    }
  }
}
