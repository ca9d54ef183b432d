<?php usleep(2000); echo "hello from PHP\n";
