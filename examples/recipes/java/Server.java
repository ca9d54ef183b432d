import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/** A server that finds its listening socket at descriptor 0, and leaves when it has answered all. */
class Server {
  private static final int THREADS = 16;
  private static final int PATIENCE = 10_000;  // ms for a client that says nothing

  public static void main(String[] arguments) throws Exception {
    ServerSocketChannel listener = (ServerSocketChannel) System.inheritedChannel();
    // Each accepts for itself: whom none has time for stays in the queue, for another worker.
    Thread[] threads = new Thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
      threads[i] = new Thread(() -> serve(listener));
      threads[i].start();
    }
    // The program ends with the hook that TERM starts, which waits for the requests in hand.
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        listener.close();
        for (Thread thread : threads) thread.join();
      } catch (IOException | InterruptedException ignored) {
        // It ends in any case.
      }
    }));
  }

  private static void serve(ServerSocketChannel listener) {
    while (true) {
      try (SocketChannel client = listener.accept()) {
        answer(client);
      } catch (ClosedChannelException closed) {
        if (!listener.isOpen()) return;  // it was asked to leave
      } catch (IOException gone) {
        // The client did not wait, or said nothing.
      }
    }
  }

  private static void answer(SocketChannel client) throws IOException {
    client.socket().setSoTimeout(PATIENCE);
    client.socket().getInputStream().read(new byte[65536]);
    String body = "hello from Java, pid " + ProcessHandle.current().pid() + "\n";
    String head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + body.length();
    byte[] text = (head + "\r\n\r\n" + body).getBytes(StandardCharsets.US_ASCII);
    client.write(ByteBuffer.wrap(text));
    client.shutdownOutput();
  }
}
