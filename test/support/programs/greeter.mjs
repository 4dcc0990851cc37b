// A server that speaks first, as mail servers do: greets, then sends back what it hears until its client's end, and ends too.
// Argument: port.
import net from 'node:net'

net
  .createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.write('220 hello\r\n')
    socket.pipe(socket)
  })
  .listen(Number(process.argv[2]), '::', () => console.log('ready'))
