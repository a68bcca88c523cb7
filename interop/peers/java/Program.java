import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.util.ajax.JSON;

/** What the programs of this folder have in common: README.md of interop has the protocol. */
final class Program {
  static final String PROTOCOL = "interop.b";
  static final int MAX_BYTES = 32 * 1024 * 1024;
  static final int NO_CODE = 1005;

  /** A library. What it reports of a connection are the fields of README.md. */
  interface Library {
    /** Listens, and gives the port. `deflate` is null for no compression. */
    int serve(Map<String, Object> deflate) throws Exception;

    CompletableFuture<Map<String, Object>> run(
        URI uri, String[] protocols, Map<String, Object> deflate) throws Exception;
  }

  record Settings(String id, String action, Integer code, String reason, boolean isRefused) {
    static Settings of(URI uri) {
      Map<String, String> query = new HashMap<>();
      for (String pair : String.valueOf(uri.getRawQuery()).split("&")) {
        String[] parts = pair.split("=", 2);
        if (parts.length == 2) query.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
      }
      String code = query.get("code");
      return new Settings(
          query.get("case"),
          query.getOrDefault("do", "echo"),
          code == null ? null : Integer.valueOf(code),
          query.getOrDefault("reason", ""),
          uri.getPath().equals("/401"));
    }
  }

  static Map<String, Object> opened(String protocol) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("open", true);
    fields.put("protocol", protocol == null ? "" : protocol);
    return fields;
  }

  static Map<String, Object> refused(int status) {
    return Map.of("open", false, "status", status);
  }

  static synchronized void report(String id, Map<String, Object> fields) {
    Map<String, Object> all = new LinkedHashMap<>(fields);
    all.put("case", id);
    System.out.println(new JSON().toJSON(all));
  }

  static boolean isSet(Map<String, Object> deflate, String name) {
    return Boolean.TRUE.equals(deflate.get(name));
  }

  static int bits(Map<String, Object> deflate, String name) {
    return deflate.get(name) instanceof Number bits ? bits.intValue() : 15;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> object(Object value) {
    return (Map<String, Object>) value;
  }

  private static Map<String, Object> outcome(Library library, Map<String, Object> spec) {
    try {
      Object[] protocols = (Object[]) spec.get("protocols");
      String[] names = java.util.Arrays.copyOf(protocols, protocols.length, String[].class);
      URI uri = URI.create((String) spec.get("url"));
      return library.run(uri, names, object(spec.get("deflate"))).get(60, TimeUnit.SECONDS);
    } catch (Exception error) {
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      return Map.of("error", String.valueOf(cause));
    }
  }

  public static void main(String[] arguments) throws Exception {
    Library library =
        switch (arguments[0]) {
          case "java" -> new JavaPeer();
          case "jetty" -> new JettyPeer();
          case "netty" -> new NettyPeer();
          default -> throw new IllegalArgumentException(arguments[0]);
        };
    if (arguments[1].equals("serve")) {
      for (Object config : (Object[]) new JSON().fromJSON(arguments[2])) {
        int port = library.serve(object(object(config).get("deflate")));
        Map<String, Object> line = Map.of("listening", object(config).get("name"), "port", port);
        System.out.println(new JSON().toJSON(line));
      }
      Thread.currentThread().join();
    }
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> spec = object(new JSON().fromJSON(line));
      report((String) spec.get("case"), outcome(library, spec));
    }
    System.exit(0);
  }
}
