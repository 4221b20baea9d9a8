# SPDX-License-Identifier: Apache-2.0
"""Everyday English words: what is said around a microphone that waits for something else."""

_TEXT = """
about above across action active after again against air alarm album almost alone along already always amuse animal
answer apple april around artist asleep august autumn away baby backward balcony ball banana battery beach because bed
been before begin behind believe below better between bicycle bird black blue boat body book bottle bottom box boy
bread break breakfast bring brother brown building bus butter button cable calendar call camera candle capital captain
car careful carpet carry castle center chair chance change cheap check chicken child circle city class clean clear
clever climb clock close cloud coffee cold color come comfort coming commander comment common commuter company compare
compass complete composer compute concert consumer container cook copper corner cotton country cousin cover creature
cup curtain dance danger daughter day december decide deep delay deliver dentist desk device dinner doctor dog dollar
door double doubt downtown dream dress drink driver during eager early earth east easy eat eight either electric
eleven empty energy engine enough enter evening every exit eye face fairy family famous far farmer fast father
february feel fence fever field fifty figure finger finish fire first fish five flag floor flower fly follow food foot
forget fork forward four friday friend front fruit full funny future game garage garden gate general gentle gift girl
give glass glow gold good goat grass great green ground group grow guitar hair half hall hammer hand happy harbor hard
hat head hear heart heavy hello help here high hill holiday home hope horse hospital hotel hour house however hundred
hungry husband ice idea inside island jacket january jelly job join jump june jungle kettle keyboard kind king kitchen
kite knee knife know ladder lady lamp language large last later laugh law leaf learn leave lemon lesson letter level
library lift light line lion list listen little live local lock long look lost loud lunch machine magazine make
manager many market marvin matter maybe meadow meal mean measure meat melody member message middle milk million minute
mirror model moment monday money monitor month moon morning mother mountain mouse mouth movie much muscle museum music
narrow nation nature near neck never new night nine nobody noise north nose note nothing november number nurse ocean
october office often old once onion only open orange order other outside over own owner page paint paper parent park
party passenger pasta pebble pencil people pepper perfect person phone photo piano picture pillow pilot planet plastic
player please pocket police poor possible potato power present pretty price printer prison problem program promise
proper public purple question quick quiet rabbit radio rain raise read ready reason record remember repeat report rest
restaurant rice rich ring river road rocket roof room rope round row rubber safe salad salt same sand saturday scatter
school science scooter season second secret see seven shadow sheila shelf ship shirt shoe shop short shout shoulder
show shut shutter silver simple singer sister six sleep slow smart smile snow soap soccer soft soldier some song soon
sorry soup south space speaker spoon sport spring square stair stamp star start station stay step stone store storm
story street strong student sugar summer sun sunday supper sure sweet swim system table tailor tall teacher team tell
temple ten than theater thing think third thirty this thousand three through thunder thursday ticket tiger time tired
today together tomato tomorrow tonight tooth top touch towel tower town toy traffic train travel tree trouble truck
true tuesday tutor twelve twenty two under uncle until upper useful valley vegetable very village violin visit visual
voice wait walk wall warm wash watch water way weather wednesday week welcome west what wheel when where white who why
wide wife wild window winter wisdom wish woman wonder wood word work world worry wow write wrong year yellow yesterday
yet young zebra zero zone
"""
WORDS = tuple(_TEXT.split())
