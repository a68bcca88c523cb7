import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Scanner;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * One process for all Java peers. It serves an echo for each server at once, prints a line `server NAME PORT` for each,
 * and then runs one client for each line `NAME URL` of its input: 200 messages to an echo, each sent when the one before
 * it came back. It prints `client NAME ok EXTENSIONS` or `client NAME failed: WHY`, and ends with its input.
 */
public final class Peer {
  static final int MESSAGES = 200;

  interface Client {
    /** Returns the answer's Sec-WebSocket-Extensions. */
    String run(String url) throws Exception;
  }

  private static final Map<String, Client> CLIENTS = Map.of("netty", NettyClient::run, "jetty", JettyClient::run);

  /** Varied JSON, of which each repeats parts of those before it: 1 KiB to 4 KiB. */
  static String message(int number) {
    StringBuilder text = new StringBuilder("{\"number\":" + number);
    long state = number + 1;
    while (text.length() < 1024 * (1 + number % 4)) {
      state = (state * 1103515245L + 12345L) & 0x7fffffffL;
      text.append(",\"key").append(state % 50).append("\":\"value ").append(state >> 8).append('"');
    }
    return text.append('}').toString();
  }

  private static void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  public static void main(String[] args) throws Exception {
    // Undertow greets on the error stream.
    Logger.getLogger("").setLevel(Level.OFF);
    say("server java-websocket " + JavaWebSocketEcho.listen());
    say("server undertow " + UndertowEcho.start());
    say("ready");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      Scanner words = new Scanner(line);
      String name = words.next();
      try {
        say("client " + name + " ok " + CLIENTS.get(name).run(words.next()));
      } catch (Exception error) {
        say("client " + name + " failed: " + String.valueOf(error).replaceAll("\\s+", " "));
      }
    }
    System.exit(0);
  }
}
