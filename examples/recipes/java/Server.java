import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/** A server that finds its listening socket at descriptor 0, and leaves between two requests. */
class Server {
  public static void main(String[] arguments) throws Exception {
    ServerSocketChannel listener = (ServerSocketChannel) System.inheritedChannel();
    Thread main = Thread.currentThread();
    // The program ends with the hook that TERM starts, which waits for the request in hand.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        listener.close();
        main.join();
      } catch (Exception ignored) {
        // It ends in any case.
      }
    }));
    try {
      while (true) answer(listener.accept());
    } catch (AsynchronousCloseException closed) {
      // It was asked to leave.
    }
  }

  private static void answer(SocketChannel client) throws Exception {
    String body = "hello from Java, pid " + ProcessHandle.current().pid() + "\n";
    String head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + body.length();
    byte[] text = (head + "\r\n\r\n" + body).getBytes(StandardCharsets.US_ASCII);
    try (client) {
      client.read(ByteBuffer.allocate(65536));
      client.write(ByteBuffer.wrap(text));
      client.shutdownOutput();
    } catch (java.io.IOException gone) {
      // The client did not wait.
    }
  }
}
